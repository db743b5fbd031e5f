import pytest

from core.model_identity import masked_identity, names_a_model


@pytest.mark.parametrize("text", ["As GPT-4, I code I10.", "I am Claude.", "I'm a model trained by OpenAI."])
def test_a_model_that_names_itself_is_noticed_and_struck_out(text):
    assert names_a_model(text)
    assert not names_a_model(masked_identity(text))


@pytest.mark.parametrize("text", ["As an acute condition, code J20.9.", "I am certain: I10.", "Developed by trauma."])
def test_plain_answers_name_no_model(text):
    assert not names_a_model(text)
    assert masked_identity(text) == text
