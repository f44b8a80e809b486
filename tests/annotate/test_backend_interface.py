"""The labelling interface says which suggestions there can be."""

import pytest

from spacy_seqmix.annotate.backend.interface import read_interface
from spacy_seqmix.errors import SeqMixError

from .backends import interface

TEXT = '<Text name="t" value="$body"/>'


def reason(xml):
    with pytest.raises(SeqMixError) as caught:
        read_interface(xml)
    assert caught.value.code == "S793"
    return str(caught.value)


def test_backend_interface_has_the_names_and_the_key():
    found = read_interface(interface("PER", "ORG", name="a", text="b", key="c"))
    assert (found.text, found.key, found.other) == ("b", "c", None)
    assert found.place("PER") == ("a", "PER")
    assert found.place("LOC") is None
    assert found.relations == frozenset()


def test_backend_interface_takes_the_labels_that_belong_to_a_text():
    found = read_interface(
        '<View><!-- one --><Image name="i" value="$image"/><Header value="$body"/>'
        '<RectangleLabels name="r" toName="i"><Label value="Car"/></RectangleLabels>'
        '<Labels name="x" toName="i"><Label value="Dog"/></Labels>'
        '<View><Labels name="one" toName="other, t"><Label value="PER"/></Labels></View>'
        '<Labels name="two" toName="t"><Label value="PER"/><Label value="Place" alias="LOC"/>'
        '</Labels><Labels name="three" toName="second"><Label value="X"/></Labels>'
        '<Relations><Relation value="works for"/><Relation/></Relations>'
        f'{TEXT}<Text name="second" value="$title"/></View>'
    )
    assert (found.text, found.key) == ("t", "body")
    assert [found.place(one) for one in ("PER", "LOC", "Place", "Dog", "X", "Car")] == [
        ("one", "PER"),
        ("two", "LOC"),
        ("two", "LOC"),
        None,
        None,
        None,
    ]
    assert found.relations == {"works for"}


def test_backend_interface_may_take_its_labels_from_the_tasks():
    found = read_interface(f'<View><Labels name="l" toName="t" value="$options"/>{TEXT}</View>')
    assert found.place("anything") == ("l", "anything")


@pytest.mark.parametrize(
    ("xml", "part"),
    [
        ("", "no XML"),
        ("<View>", "no XML"),
        ("<View>\ud800</View>", "no XML"),
        ("no XML", "no XML"),
        ("<View/>", "no tag <Text>"),
        (f"<View>{TEXT}</View>", "no tag <Labels>"),
        (f'<View>{TEXT}<Labels name="l" toName="u"/></View>', "points (toName)"),
        ('<View><Text name="t" value="Hi"/><Labels name="l" toName="t"/></View>', "points"),
        (interface(more="").replace("<Text ", '<Text valueType="url" '), "points (toName)"),
        (interface(more="").replace("<Text ", '<Text encoding="base64" '), "points (toName)"),
    ],
)
def test_backend_interface_says_why_there_can_be_none(xml, part):
    assert part in reason(xml)


def test_backend_interface_refuses_a_dtd_before_it_is_read():
    bomb = '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 100}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert "DTD" in reason(f"<!DOCTYPE View [{bomb}]><View>&i;{TEXT}</View>")
    assert "DTD" in reason('<!DOCTYPE View SYSTEM "file:///etc/passwd"><View/>')
    assert "no XML" in reason("<View>&x;</View>")
