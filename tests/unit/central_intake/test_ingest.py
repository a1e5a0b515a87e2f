import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import Refused
from plumbline.messages import Frame
from plumbline_central.ingest import Senseless, judge
from plumbline_central.registry import Gateway


@pytest.fixture
def payload(gateway):
    gateway.frames(3)
    return gateway.pack(1, 3)


@pytest.mark.parametrize(
    ("topic", "why"),
    [
        ("plumbline/1/a12/gw-2/up", "not enrolled"),
        ("plumbline/1/b07/gw-1/up", "enrolled at 'a12'"),
        ("plumbline/1/a12/gw-1/state", "no batches"),
        ("plumbline/1/a12/gw-1", "no topic of ours"),
        ("plumbline/1/A12/gw-1/up", "cannot stand in a topic"),
    ],
)
def test_a_batch_on_a_topic_that_is_not_its_own_is_refused(gateway, payload, topic, why):
    with pytest.raises(Refused, match=why):
        judge(topic, payload, gateway.lookup)


def test_a_batch_signed_with_another_key_is_refused(gateway, payload, new_gateway):
    with pytest.raises(Refused, match="signature"):
        judge(gateway.topic, payload, new_gateway().lookup)


def test_a_batch_of_another_algorithm_than_enrolled_is_refused(gateway, payload):
    other = Gateway(id="gw-1", site="a12", key=gateway.key.public, algorithm="sm2")

    with pytest.raises(Refused, match="sm2"):
        judge(gateway.topic, payload, lambda _: other)


def test_a_gateway_cannot_speak_with_anothers_header(gateway, new_gateway, payload):
    neighbour = new_gateway(name="gw-9", key=gateway.key)

    with pytest.raises(Refused, match="its header says a12/gw-1"):
        judge(neighbour.topic, payload, neighbour.lookup)


@given(garbage=st.binary(max_size=300))
def test_garbage_is_refused_with_a_reason(garbage, new_gateway):
    gateway = new_gateway()

    with pytest.raises(Refused, match=r"\w"):
        judge(gateway.topic, garbage, gateway.lookup)


def test_a_signed_batch_of_an_enrolled_gateway_passes(gateway, payload):
    batch = judge(gateway.topic, payload, gateway.lookup)

    assert gateway.lanes["data"] == list(batch.records)


def test_a_refusal_for_lack_of_sense_names_the_record(gateway):
    gateway.frames(2)
    gateway.record(Frame(device="no name", metrics=(1,), values=(1,)))
    gateway.frames(2)

    with pytest.raises(Senseless, match="record 3: a device, camera or zone whose name is none"):
        judge(gateway.topic, gateway.pack(1, 5), gateway.lookup)


@pytest.mark.parametrize("value", [2**63, 2**64 - 1, -(2**63)])
def test_a_gateway_is_told_of_a_value_that_nobody_can_store(gateway, value):
    """Else it would send it for ever, and what it read since would wait behind it."""
    gateway.record(Frame(device="m1", metrics=(1,), values=(value,)))
    gateway.record(Frame(device="m1", metrics=(1,), values=(0,)))

    for last in (1, 2):
        with pytest.raises(Senseless, match="record 1: a value beyond 64 bits"):
            judge(gateway.topic, gateway.pack(1, last), gateway.lookup)
