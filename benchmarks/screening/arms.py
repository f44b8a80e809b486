"""What is screened: each arm changes a few things in the way that a tagger is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Arm:
    """The settings of an arm. As they stand here, they are those of "none".

    crf: a CRF in place of a softmax.
    rate, head_rate, shape_rate: learning rates at their peak: of the encoder, of what stands on top
        of it, and of the shapes in its input; the last two are None where they are the first.
    times: multiplies the steps of the training, but not those of a teacher.
    layers: the tags are read from a learned mean of so many last layers.
    shapes_in: a vector for the shape of its word is added to each piece of the encoder's input.
    shapes_out: the shapes of a word and its neighbours stand beside the encoder's output.
    smoothing: the share of each target that is spread over all tags.
    average: the decay of a moving average of the weights, which is scored in their place.
    names: in half of the sentences of a batch every mention gives way to another of its type,
        from the "labelled" sentences or also from the "pool", where a teacher is sure of it.
    names_weight: what such a sentence counts in the loss.
    mixed_layer: the layer (from 1) whose output is mixed with that of another sentence.
    mixed_share: the share of batches where it is.
    self_training: each batch also has as many sentences from the pool, with the tag probabilities
        of a teacher, a model of this arm that was trained on the labelled sentences alone.
    mean_teacher: the same, but the teacher is the moving average of the model's own weights.
    ask: four fifths of the labelled sentences are asked for by a model of this arm, those with the
        highest expected number of entity tokens; else all are drawn at random.
    """

    crf: bool = False
    rate: float = 2e-4
    head_rate: float | None = None
    shape_rate: float | None = None
    times: float = 1.0
    layers: int = 1
    shapes_in: bool = False
    shapes_out: bool = False
    smoothing: float = 0.0
    average: float | None = None
    names: str = ""
    names_weight: float = 1.0
    mixed_layer: int | None = None
    mixed_share: float = 1.0
    self_training: bool = False
    mean_teacher: bool = False
    ask: bool = False

    @property
    def plain(self) -> Arm:
        """The arm of a model that teaches or asks for this one: without what needs such a model."""
        return replace(
            self,
            times=1.0,
            names="",
            names_weight=1.0,
            mixed_layer=None,
            self_training=False,
            mean_teacher=False,
            ask=False,
        )

    @property
    def taught(self) -> bool:
        """Whether a teacher labels the pool before the training."""
        return self.self_training or self.names == "pool"


CRF = Arm(crf=True)
SHAPES = Arm(shapes_in=True, shape_rate=1e-3)
CRF_SHAPES = replace(SHAPES, crf=True)
BASELINE = "none"

# A name is the key of the kept runs, so it stays as it is. "lada" mixes hidden layers, as LADA does
# (Chen et al. 2020, arXiv 2010.01677), "ema" is an exponential moving average.
ARMS = {
    BASELINE: Arm(),
    "none 2x": Arm(times=2.0),
    "lr 1e-4": Arm(rate=1e-4),
    "lr 4e-4": Arm(rate=4e-4),
    "head lr 2e-3": Arm(head_rate=2e-3),
    "mix layers 4": Arm(layers=4),
    "shape out": Arm(shapes_out=True),
    "shape in": Arm(shapes_in=True),
    "shape in 1e-3": SHAPES,
    "ema": Arm(average=0.98),
    "smooth .05": Arm(smoothing=0.05),
    "replace": Arm(names="labelled"),
    "replace .3": Arm(names="labelled", names_weight=0.3),
    "pool names": Arm(names="pool"),
    "lada 3": Arm(mixed_layer=3),
    "lada 3 half": Arm(mixed_layer=3, mixed_share=0.5),
    "self": Arm(self_training=True),
    "mean teacher": Arm(mean_teacher=True),
    "crf": CRF,
    "crf 2x": replace(CRF, times=2.0),
    "crf self": replace(CRF, self_training=True),
    "crf pool names": replace(CRF, names="pool"),
    "crf ask tags": replace(CRF, ask=True),
    "crf shape in": replace(CRF, shapes_in=True),
    "crf shape in 1e-3": CRF_SHAPES,
    "crf shape in 1e-3 2x": replace(CRF_SHAPES, times=2.0),
    "crf shape in 1e-3 self": replace(CRF_SHAPES, self_training=True),
    "crf shape in 1e-3 names": replace(CRF_SHAPES, names="pool"),
    "crf shape in 1e-3 ask": replace(CRF_SHAPES, ask=True),
    "crf shape in 1e-3 ask self": replace(CRF_SHAPES, ask=True, self_training=True),
}
