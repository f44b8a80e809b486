"""The ML backend that Label Studio calls: suggestions of a run's last pipeline, or of any."""
