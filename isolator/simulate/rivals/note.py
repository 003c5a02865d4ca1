"""How true a rival's model is to what it models: its source, and every liberty taken, by whom it favours. Shown beside the rival's numbers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """Sentences in Markdown; numbers in them come from the model's constants."""

    rule: str
    """what the original does"""
    sources: tuple[tuple[str, str], ...]
    """(name, address) of what was read; none for a habit"""
    model: str
    """what stands for what here"""
    kinder: str = ""
    """liberties in the rival's favour"""
    harsher: str = ""
    """and against it"""
    absent: str = ""
    """what of the original is not modelled"""
