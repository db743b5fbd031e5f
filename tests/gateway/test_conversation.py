import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records import Message, Query, conversation_text
from core.routing_text import ASK_CHARS, CONTEXT_CHARS, routing_text, without_harness
from gateway.conversation import conversation_key, read_conversation
from gateway.told import Told

ASK = {"role": "user", "content": "Code asthma."}
SYSTEM = {"role": "system", "content": "You are a coder of a hospital."}
SAID = {"role": "assistant", "content": "J45.909"}
AGAIN = {"role": "user", "content": "And in a child?"}


def text_of(*messages):
    return read_conversation(list(messages)).routing_text


def test_a_lone_question_is_read_as_it_is_whatever_it_holds():
    odd = "  <system-reminder>x</system-reminder>\n user: hi " + "long " * 5000

    assert text_of({"role": "user", "content": odd}) == odd


def test_a_system_prompt_changes_nothing_of_what_the_router_reads_and_stakes_read_it():
    conversation = read_conversation([SYSTEM, ASK])

    assert conversation.routing_text == text_of(ASK) == "Code asthma."
    assert conversation.text == "system: You are a coder of a hospital.\n\nuser: Code asthma."


def test_the_last_ask_comes_first_and_the_other_turns_follow_with_their_roles():
    assert text_of(SYSTEM, ASK, SAID, AGAIN) == "And in a child?\n\nuser: Code asthma.\n\nassistant: J45.909"


def test_in_a_tool_loop_the_ask_stays_the_humans_and_results_are_context():
    call = {"id": "1", "type": "function", "function": {"name": "find", "arguments": '{"term": "asthma"}'}}
    conversation = read_conversation(
        [
            SYSTEM,
            ASK,
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "1", "content": "J45.909 Unspecified asthma"},
        ],
        tools=[{"type": "function", "function": {"name": "find", "description": "Finds a code.", "parameters": {}}}],
    )

    assert conversation.routing_text == "Code asthma.\n\ntool: J45.909 Unspecified asthma"
    assert conversation.unreadable is None
    assert conversation.tools_text == 'find: Finds a code.\nfind({"term": "asthma"})'
    assert (conversation.has_tools, conversation.is_continued) == (True, True)


def test_what_a_harness_writes_into_the_humans_turns_is_not_the_ask():
    harness = {"role": "user", "content": "<environment_details>\ncwd: /src\n</environment_details>"}
    asked = {"role": "user", "content": "<system-reminder>Be brief.</system-reminder>\nFix the failing test."}

    assert text_of(SYSTEM, asked, SAID, harness) == "Fix the failing test.\n\nassistant: J45.909"
    assert text_of(SYSTEM, asked) == "Fix the failing test."


def test_blocks_that_are_never_closed_cost_no_more_than_their_length():
    text = "<tool_result>" * 400_000
    started = time.process_time()

    assert without_harness(text) == text
    assert time.process_time() - started < 10  # a search to the end for each takes minutes


def test_of_a_long_transcript_the_ask_the_first_turn_and_the_last_ones_are_read():
    turns = [{"role": ("user", "assistant")[n % 2], "content": f"turn {n} " + "x" * 700} for n in range(60)]
    turns.append({"role": "user", "content": "start " + "y" * 9000 + " end"})

    text = text_of(SYSTEM, *turns)

    assert text.startswith("start y")
    assert " [...] " in text
    assert "y end\n\nuser: turn 0 " in text
    assert "assistant: turn 59 " in text
    assert "turn 30 " not in text
    assert len(text) <= ASK_CHARS + CONTEXT_CHARS + 100


MESSAGES = st.lists(
    st.builds(
        Message,
        role=st.sampled_from(["system", "developer", "user", "assistant", "tool"]),
        content=st.text(max_size=300)
        | st.sampled_from(["<tool_result>", "<tool_result>a</tool_result> b", "z" * 5000]),
    ),
    min_size=1,
    max_size=30,
)


@given(MESSAGES)
def test_a_router_reads_the_same_of_a_row_in_training_and_of_a_request(messages):
    row = Query(id="1", messages=tuple(messages))
    request = read_conversation([{"role": message.role, "content": message.content} for message in messages])

    assert row.routing_text == request.routing_text
    assert request.text == row.text == conversation_text(messages)


@given(MESSAGES)
def test_a_router_never_reads_more_than_a_lone_turn_or_the_cap(messages):
    assert len(routing_text(messages)) <= max(ASK_CHARS + CONTEXT_CHARS + 200, *(len(one.content) for one in messages))


def test_the_order_of_fields_and_fields_that_say_nothing_change_no_score():
    plain = [SYSTEM, ASK, SAID, AGAIN]
    harmless = {
        "name": "ana",
        "id": "msg_1",
        "annotations": [],
        "refusal": None,
        "cache_control": {"type": "ephemeral"},
    }
    odd = [{**harmless, **dict(reversed(message.items()))} for message in plain]

    assert read_conversation(odd).routing_text == text_of(*plain)
    assert read_conversation(odd).text == read_conversation(plain).text
    assert key_of(*odd) == key_of(*plain)


@pytest.mark.parametrize("content", ["asthma", [{"type": "text", "text": "asthma"}]])
def test_a_text_and_its_one_part_are_the_same(content):
    assert text_of({"role": "user", "content": content}) == "asthma"


def test_functions_and_tools_of_free_text_are_told_of_like_any_other():
    told = {"name": "dose", "description": "Finds a dose."}
    call = {"type": "custom", "custom": {"name": "dose", "input": "insulin"}}
    messages = [ASK, {"role": "assistant", "content": None, "tool_calls": [call]}]

    custom = read_conversation(messages, tools=[{"type": "custom", "custom": told}])

    assert custom.tools_text == "dose: Finds a dose.\ndose(insulin)"
    assert read_conversation([ASK], functions=[told]).tools_text == "dose: Finds a dose."


@pytest.mark.parametrize(
    "tools", [None, 3, "find", [3], [{}], [{"function": {"name": 3}}], [{"type": "web_search"}], {"a": 1}]
)
def test_tools_that_are_none_break_nothing(tools):
    conversation = read_conversation([ASK], tools=tools)

    assert conversation.routing_text == "Code asthma."
    assert conversation.unreadable is None


@pytest.mark.parametrize("calls", [3, [3], [{}], [{"function": 3}], [{"function": {"name": "f", "arguments": 3}}]])
def test_calls_that_are_none_break_nothing(calls):
    assert read_conversation([{"role": "assistant", "content": None, "tool_calls": calls}, ASK]).unreadable is None


def key_of(*messages, **told):
    return conversation_key({"messages": list(messages)}, Told(**told))[0]


def test_all_turns_of_a_conversation_share_a_key_and_other_conversations_have_another():
    assert key_of(SYSTEM, ASK) == key_of(SYSTEM, ASK, SAID, AGAIN)
    others = {key_of(SYSTEM, ASK), key_of(ASK), key_of(SYSTEM, AGAIN), key_of(SYSTEM, ASK, key_id="k")}
    assert len(others) == 4


def test_a_session_that_the_client_names_is_the_conversation_and_no_other_keys():
    assert key_of(ASK, session="a") == key_of(AGAIN, session="a")
    assert len({key_of(ASK, session="a"), key_of(ASK, session="b"), key_of(ASK, session="a", key_id="k")}) == 3
    assert key_of(ASK, session="ab", key_id="c") != key_of(ASK, session="a", key_id="bc")


def test_marks_of_a_prompt_cache_that_move_from_turn_to_turn_keep_the_key():
    marked = {"type": "text", "text": "Code asthma.", "cache_control": {"type": "ephemeral"}}
    plain = {"type": "text", "text": "Code asthma."}

    assert key_of({"role": "user", "content": [marked]}) == key_of({"role": "user", "content": [plain]}, SAID, AGAIN)


def test_lots_are_spread_evenly():
    lots = [conversation_key({"messages": [{"role": "user", "content": str(n)}]}, Told())[1] for n in range(2000)]

    assert all(0 <= lot < 1 for lot in lots)
    # Three standard errors of a share of 0.1 in 2000.
    assert abs(sum(lot < 0.1 for lot in lots) / 2000 - 0.1) < 3 * (0.09 / 2000) ** 0.5


@pytest.mark.parametrize(
    "messages", [None, 3, [], [3], [{}], [{"role": 3}], [{"role": "user"}], [{"role": "user", "content": 3}]]
)
def test_messages_that_are_none_have_a_key_all_the_same(messages):
    assert len(conversation_key({"messages": messages}, Told())[0]) == 64
