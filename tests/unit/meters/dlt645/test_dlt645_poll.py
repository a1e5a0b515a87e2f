import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.metrics import BY_NAME, Flaw
from plumbline_edge.meters.dlt645.poll import Learned, decode, plan
from plumbline_edge.meters.profiles.file import find_profile, load_profile

PROFILE = find_profile("dlt645_2007")
ME = "000000000161"
NAMES = [metric.name for metric in PROFILE.metrics]
NOTHING_LEARNED = Learned()

VOLTS, AMPS, WATTS, VARS, FACTORS, HZ = 0x0201FF00, 0x0202FF00, 0x0203FF00, 0x0204FF00, 0x0206FF00, 0x02800002
IMPORT, EXPORT = 0x00010000, 0x00020000
VOLTAGES = (0x02010100, 0x02010200, 0x02010300)

HEALTHY = {
    VOLTS: "01 23 02 23 03 23",
    AMPS: "00 50 00 00 50 80 99 99 79",
    WATTS: "12 25 80 00 10 00 00 10 00 00 10 00",
    VARS: "00 00 00 00 00 00 00 00 00 00 00 00",
    FACTORS: "00 10 98 89 01 05 00 00",
    HZ: "01 50",
    IMPORT: "42 06 12 00",
    EXPORT: "26 00 00 00",
}


def polled(answers, learned=NOTHING_LEARNED):
    """One poll in which every question gets its answer from `answers`; what is missing there is refused."""
    questions = plan(PROFILE, ME, learned)
    payloads = [
        bytes.fromhex(answer) if isinstance(answer := answers.get(q.di, Flaw.EXCEPTION), str) else answer
        for q in questions
    ]
    result = decode(PROFILE, questions, payloads, learned)
    flaws = {NAMES[i]: Flaw(flaw) for i, flaw in result.flaws}
    return dict(zip(NAMES, result.values, strict=True)), flaws, result.learned


def asked(learned):
    return [question.di for question in plan(PROFILE, ME, learned)]


def test_a_poll_asks_for_blocks_and_single_values_once_each_and_for_the_probe_first():
    questions = plan(PROFILE, ME, NOTHING_LEARNED)

    assert [q.di for q in questions] == [VOLTS, AMPS, WATTS, VARS, FACTORS, HZ, IMPORT, EXPORT]
    assert [q.size for q in questions] == [6, 9, 12, 12, 8, 2, 4, 4]
    assert {q.address for q in questions} == {ME}


def test_answers_become_whole_steps_with_their_signs():
    values, flaws, learned = polled(HEALTHY)

    assert flaws == {}
    assert values["voltage_l3"] == 230_30
    assert values["current_l1"] == 5_000
    assert values["current_l2"] == -5_000
    assert values["current_l3"] == 799_999
    assert values["power_active_total"] == -251_2
    assert values["power_active_l3"] == 100_0
    assert values["power_factor_total"] == 1_0000
    assert values["power_factor_l1"] == -9980
    assert values["frequency"] == 50_010
    assert values["energy_import_total"] == 1206_4200
    assert learned == NOTHING_LEARNED


def test_a_value_outside_what_a_meter_can_honestly_say_is_kept_and_doubted():
    values, flaws, _ = polled(HEALTHY | {HZ: "01 70"})

    assert values["frequency"] == 70_010
    assert flaws["frequency"] is Flaw.OUT_OF_RANGE


def test_what_is_filled_with_ones_is_absent_and_never_nothing():
    values, flaws, learned = polled(HEALTHY | {VOLTS: "01 23 FF FF FF FF"})

    assert (values["voltage_l1"], values["voltage_l2"], values["voltage_l3"]) == (230_10, None, None)
    assert flaws["voltage_l2"] is flaws["voltage_l3"] is Flaw.SENTINEL
    assert learned == NOTHING_LEARNED


def test_a_digit_that_is_none_costs_its_own_value_only():
    values, flaws, _ = polled(HEALTHY | {VOLTS: "01 23 0A 23 03 23"})

    assert (values["voltage_l1"], values["voltage_l2"], values["voltage_l3"]) == (230_10, None, 230_30)
    assert flaws["voltage_l2"] is Flaw.GARBAGE


def test_a_refused_block_is_asked_value_by_value_and_a_value_refused_twice_no_more():
    single = {k: v for k, v in HEALTHY.items() if k != VOLTS} | {VOLTAGES[0]: "01 23"}
    learned = NOTHING_LEARNED
    orders = []
    for _ in range(4):
        orders.append(asked(learned))
        values, flaws, learned = polled(single, learned)

    rest = [AMPS, WATTS, VARS, FACTORS, HZ, IMPORT, EXPORT]
    assert orders[0] == [VOLTS, *rest]
    assert [set(order) for order in orders[1:]] == [{*VOLTAGES, *rest}] * 2 + [{VOLTAGES[0], *rest}]
    assert [order[0] for order in orders[1:]] == [VOLTAGES[0]] * 3
    assert learned.refused == {VOLTS, VOLTAGES[1], VOLTAGES[2]}
    assert (values["voltage_l1"], values["voltage_l2"]) == (230_10, None)
    assert flaws["voltage_l2"] is Flaw.EXCEPTION


def test_one_refusal_of_a_value_may_belong_to_another_question_and_is_forgotten_at_its_next_answer():
    _, _, once = polled(HEALTHY | {HZ: Flaw.EXCEPTION})
    _, _, after = polled(HEALTHY, once)

    assert once == Learned(doubted=frozenset((HZ,)))
    assert after == NOTHING_LEARNED


def test_silence_teaches_nothing():
    values, flaws, learned = polled(dict.fromkeys(HEALTHY, Flaw.TIMEOUT))

    assert set(values.values()) == {None}
    assert set(flaws.values()) == {Flaw.TIMEOUT}
    assert learned == NOTHING_LEARNED


def test_a_block_of_another_length_is_not_guessed_at_but_asked_value_by_value():
    values, flaws, learned = polled(HEALTHY | {VOLTS: "01 23"})

    assert values["voltage_l1"] is None
    assert flaws["voltage_l1"] is Flaw.GARBAGE
    assert set(VOLTAGES) <= set(asked(learned))
    assert VOLTS not in asked(learned)


def test_a_value_of_another_length_is_garbage_and_still_asked():
    _, flaws, learned = polled(HEALTHY | {HZ: "01 50 00"})

    assert flaws["frequency"] is Flaw.GARBAGE
    assert learned == NOTHING_LEARNED


def test_a_meter_that_refuses_everything_is_still_asked_for_its_probe():
    learned = NOTHING_LEARNED
    for _ in range(6):
        values, _, learned = polled({}, learned)

    assert asked(learned) == [VOLTAGES[0]]
    assert set(values.values()) == {None}
    assert polled({VOLTAGES[0]: "01 23"}, learned)[0]["voltage_l1"] == 230_10


@given(st.data())
def test_any_bytes_give_values_or_reasons(data):
    questions = plan(PROFILE, ME, NOTHING_LEARNED)
    answers = [
        data.draw(
            st.sampled_from((Flaw.EXCEPTION, Flaw.TIMEOUT)) | st.binary(min_size=q.size, max_size=q.size)
        )
        for q in questions
    ]

    result = decode(PROFILE, questions, answers, NOTHING_LEARNED)

    flawed = dict(result.flaws)
    for i, value in enumerate(result.values):
        if value is None:
            assert Flaw(flawed[i]).quality == "bad"
        else:
            assert i not in flawed or Flaw(flawed[i]).quality == "uncertain"


def test_every_number_in_the_profile_has_two_sources_and_its_metric_s_unit():
    assert all(register.sure for register in PROFILE.registers)
    assert all(r.scale * BY_NAME[r.metric.name].to_wire(1) >= 1 for r in PROFILE.registers)
    assert PROFILE.register("energy_import_total").modulus == 1_000_000


FAULTY = """
name = "T"
maker = "T"
source = "T"
protocol = "dlt645"
probe = "voltage_l1"
absent = { bcd2 = 10_000, sbcd2 = -7_999 }
[[blocks]]
id = 0x02010100
metrics = ["voltage_l1", "voltage_l1"]
[registers]
voltage_l1 = { address = 0x02010100, type = "bcd2", scale = 0.1, unit = "V" }
voltage_l2 = { address = 0x02010100, type = "bcd2", scale = 0.1, unit = "V" }
"""


def test_a_profile_says_each_identifier_and_each_metric_of_a_block_once(tmp_path):
    path = tmp_path / "faulty.toml"
    path.write_text(FAULTY)

    with pytest.raises(Exception, match="expected") as caught:
        load_profile(path)
    assert [fault.key for fault in caught.value.faults] == [
        "absent.bcd2", "registers.voltage_l2.address", "blocks.1.id", "blocks.1.metrics",
    ]  # fmt: skip
