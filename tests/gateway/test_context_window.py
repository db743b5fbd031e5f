import base64
import random
from types import SimpleNamespace

import pytest

from gateway.context_window import context_fault, most_tokens
from gateway.conversation import read_conversation

TEXTS = {
    "english": "The patient was admitted with chest pain on exertion; which code is right, and is it billable?",
    "drugs": "hydroxychloroquine, sulfasalazine, tocilizumab, idarucizumab, esophagogastroduodenoscopy",
    "capitals": "PATIENT WAS ADMITTED WITH HYPERTENSIVE CHRONIC KIDNEY DISEASE STAGE FOUR",
    "numbers": "1234567 89.01 2026-11-24 S72.001A E11.65 $4,500.00\n" * 3,
    "python": "def total(rows: list[Row]):\n    return sum(row.n * row.price for row in rows if row.is_due)\n",
    "json": '{"id": "a-17", "codes": ["J45.909", "E11.65"], "paid": 1250.5, "ok": true, "note": null}',
    "html": '<table class="list"><tr><td colspan="2">n/a</td></tr></table><!-- end -->',
    "german": "Bei der Pankreatikoduodenektomie sind Arbeitsunfähigkeitsbescheinigungen vorzulegen.",
    "finnish": "Epäjärjestelmällistyttämättömyydelläänsäkään hän ei pystynyt välttämään tehtäviä.",
    "polish": "Pacjent zgłosił się z powodu nasilających się bólów w klatce piersiowej oraz duszności.",
    "vietnamese": "Bệnh nhân nhập viện vì đau ngực và khó thở khi gắng sức.",
    "chinese": "患者因右股骨颈骨折入院,术后出现肺炎。请给出国际疾病分类编码。",
    "japanese": "患者は右大腿骨頸部骨折で入院し、術後に肺炎を発症した。",
    "russian": "Пациент поступил с переломом шейки правого бедра; после операции развилась пневмония.",
    "arabic": "أدخل المريض بسبب كسر في عنق عظم الفخذ الأيمن، وأصيب بالتهاب رئوي.",
    "hindi": "रोगी को दाहिनी जांघ की हड्डी की गर्दन के फ्रैक्चर के साथ भर्ती किया गया।",
    "amharic": "ታካሚው በቀኝ ጭን አጥንት ስብራት ምክንያት ሆስፒታል ገባ።",
    "emoji": "🩺👩‍⚕️💊🏥 ok 👍🏽",
    "hexadecimal": random.Random(1).randbytes(300).hex(),
    "base64": base64.b64encode(random.Random(2).randbytes(300)).decode(),
    "blanks": " \n \n\t\n   \n" * 20,
    "letters": "a b c d e f g h i j k",
}


@pytest.fixture(scope="module", params=["minilm", "smollm2"])
def count(request):
    """How many tokens a real tokeniser makes of a text."""
    from tokenizers import Tokenizer

    if request.param == "minilm":
        from models.minilm import minilm_folder

        path = minilm_folder() / "tokenizer.json"
    else:
        pytest.importorskip("gguf")
        from models.networks.smollm2 import smollm2_folder

        path = smollm2_folder() / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize("name", TEXTS)
def test_no_real_tokeniser_makes_more_tokens_than_the_estimate(count, name):
    assert count(TEXTS[name]) <= most_tokens(TEXTS[name]) <= len(TEXTS[name].encode())


def fault(messages="hi", window=1000, tools=None, **fields):
    messages = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    body = {"messages": messages, "tools": tools, "max_tokens": 100, **fields}
    return context_fault(body, read_conversation(messages, tools=tools), SimpleNamespace(context_window=window))


def test_what_fits_by_its_bytes_alone_fits():
    assert fault("é" * 442) is None  # 884 bytes; 1000 less 100 for the answer and 2 times 8 for the template


def test_letters_count_half_a_token_where_bytes_do_not_fit():
    assert fault("word " * 353) is None  # 1765 letters and blanks: 883 tokens
    assert fault("word " * 354) == "context_window"  # 885


def test_a_window_that_is_not_known_is_not_looked_at():
    assert fault("x" * 100_000, window=None) is None


def test_the_answers_length_counts_and_an_unnamed_one_is_assumed():
    assert fault("hi", max_tokens=990) == "context_window"
    assert fault("hi", max_tokens=None, max_completion_tokens=990) == "context_window"
    assert fault("x" * 734, max_tokens=None) is None  # a quarter of the window stays free
    assert fault("1" * 735, max_tokens=None) == "context_window"
    assert fault("1" * 8900, window=10_000, max_tokens=None) is None
    assert fault("1" * 8961, window=10_000, max_tokens=None) == "context_window"


@pytest.mark.parametrize("value", ["100", 1.5, -1, True, [100], 10**400])
def test_a_length_that_is_no_count_is_not_known_to_fit(value):
    assert fault("hi", max_tokens=value) in ("context_unknown", "context_window")


def test_tools_schemas_and_earlier_calls_count():
    tools = [{"type": "function", "function": {"name": "find", "parameters": {"enum": ["1234567890"] * 100}}}]
    call = {"id": "1", "type": "function", "function": {"name": "find", "arguments": "1" * 900}}

    assert fault("hi", tools=tools) == "context_window"
    assert fault("hi", response_format={"type": "json_schema", "json_schema": tools}) == "context_window"
    assert fault("hi", functions=tools) == "context_window"
    assert fault([{"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": [call]}]) == "context_window"


def test_many_short_messages_count_by_their_number():
    assert fault([{"role": "user", "content": ""}] * 111) is None
    assert fault([{"role": "user", "content": ""}] * 112) == "context_window"


def test_an_image_is_taken_not_to_fit():
    image = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]

    assert fault([{"role": "user", "content": image}], window=10**9) == "context_unknown"


def test_tools_that_no_json_can_hold_are_taken_not_to_fit():
    nested = []
    for _ in range(100_000):
        nested = [nested]

    assert fault("hi", tools=[nested]) == "context_unknown"
