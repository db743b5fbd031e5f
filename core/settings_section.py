"""What every section of the YAML is: frozen, without unknown keys, each field with its meaning beside it."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A frozen section of the YAML: unknown keys are refused, each field carries its own docstring."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
