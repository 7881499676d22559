"""Slice `data.mixes`: a frozen table of records, as one query that is solved together.

Fields that came after the first ones are absent (null) unless they are used, and then stand in no
job's slice (`told`): finished mixes keep their keys.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from pellucid.recipe.base import Options

Value = str | int | float | bool
Values = Value | tuple[Value, ...]
LABEL = r"^[a-z0-9][A-Za-z0-9_.-]*@[0-9]+$"
"""Name and version of a label, as its folder in a store is called."""


class Where(Options):
    """One condition on a label column; exactly one of `is` ... `keep` (bounds go together)."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    label: str = Field(pattern=LABEL)
    """Operation and version that made the label, e.g. `triage@1`: `labels/triage@1` of a store."""
    column: str = Field(min_length=1)
    """Column of its files. Of a column of lists, one value that fits is enough."""
    is_: Values | None = Field(None, alias="is")
    """Only records with this value, or one of these."""
    is_not: Values | None = None
    """Only records with another value than this, or than all of these."""
    at_least: float | None = None
    """Only records with a value of at least this."""
    at_most: float | None = None
    """Only records with a value of at most this."""
    keep: Literal["one"] | None = None
    """One record of each value (a cluster) in the whole mix; a null is a cluster of its own."""
    best: str | None = None
    """Which one is kept: the largest value of this column of the label, then the least id. The
    least id alone when absent."""
    unlabelled: Literal["drop", "keep"] = "drop"
    """What becomes of records that the label does not speak of."""

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        bounded = self.at_least is not None or self.at_most is not None
        asked = [self.is_ is not None, self.is_not is not None, bounded, self.keep is not None]
        if sum(asked) != 1:
            raise ValueError("give one of: is, is_not, at_least/at_most, keep")
        if self.best is not None and self.keep is None:
            raise ValueError("best says which record `keep` keeps; give keep: one, or leave it out")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least exceeds at_most")
        return self


class Licences(Options):
    """Which licences a mix may hold: SPDX ids, compared letter by letter."""

    allow: tuple[str, ...] = ()
    """Only these; all when empty. `A AND B` passes when both are here or when it stands here as it
    is; anything else (an unknown licence, `A OR B`) only as it is."""
    deny: tuple[str, ...] = ()
    """None of these, alone or as a part of an expression."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.allow and not self.deny:
            raise ValueError("allows everything and denies nothing; give one, or leave it out")
        return self


class Order(Options):
    """Easy to hard: what is learnt first. Within a window records are shuffled, epoch by epoch."""

    by: Literal["length", "difficulty", "label"]
    """`length` in tokens of the longest example, `difficulty` of the record, or a label column."""
    label: str | None = Field(None, pattern=LABEL)
    """Operation and version of the label."""
    column: str | None = None
    """Its column: numbers, or texts that `values` puts in order."""
    values: tuple[str, ...] = ()
    """Texts from easy to hard; each is a window."""
    descending: bool = False
    """The largest number first."""
    windows: int = Field(10, ge=2)
    """Windows of numbers, of nearly equal numbers of records seen."""

    @model_validator(mode="after")
    def _label_named(self) -> Self:
        named = self.label is not None and self.column is not None
        if (self.by == "label") != named or (self.by != "label" and self.values):
            raise ValueError("by: label needs label and column; the others take none of them")
        if self.values and self.descending:
            raise ValueError("values says the order; turn it round instead of descending")
        return self


Times = Annotated[int, Field(ge=1)] | Annotated[float, Field(ge=1)]


class Take(Options):
    """One ingredient of a mix."""

    source: str
    """Name of a source."""
    split: Literal["train", "validation"] = "train"
    """Which split; a mix never takes test records."""
    tasks: tuple[str, ...] = ()
    """Only these tasks; all when empty."""
    domains: tuple[str, ...] | None = None
    """Only these domains; all when absent."""
    where: tuple[Where, ...] | None = None
    """Only records whose labels fit; beside the mix's own `where`."""
    count: int | None = Field(None, ge=1)
    """Exactly this many records, chosen by seed; all when absent."""
    share: float | None = Field(None, gt=0, le=1)
    """Share of what the mix shows in an epoch, repeats counted; in place of `count`."""
    repeat: Times = 1
    """How often each record is seen per epoch. With 2.5 every record is seen twice, and half of
    them, chosen by seed, once more."""
    max_repeat: Times | None = None
    """How often a record may be seen where the share asks for more than there is."""
    mode: Literal["as_is", "think", "nothink"] = "as_is"
    """Override the mode of the final answer; `think` needs records with reasoning."""

    @property
    def most(self) -> float:
        """How often one of its records may be seen at most."""
        return max(self.repeat, self.max_repeat or 1)


class Mix(Options):
    """A frozen table of records to train on, made by a query."""

    take: tuple[Take, ...] = Field(min_length=1)
    """The ingredients, in order."""
    total: int | None = Field(None, ge=1)
    """Records seen per epoch, repeats counted, that the shares deal out. The largest that they
    allow when absent."""
    licences: Licences | None = None
    """Which licences it may hold."""
    where: tuple[Where, ...] | None = None
    """Only records whose labels fit, of every ingredient."""
    max_tokens: int | None = Field(None, ge=1)
    """Most tokens of a record's longest example, pictures included, in every mode that it may be
    seen in; counted with the recipe's model."""
    per_image: int | None = Field(None, ge=1)
    """Most records that show the same picture (by its pixels)."""
    per_question: int | None = Field(None, ge=1)
    """Most records that ask the same, whatever they show; case and spacing do not count."""
    think_share: float | None = Field(None, ge=0, le=1)
    """Share of records that think; records that could do either are switched to meet it."""
    think_share_of: Literal["records", "tokens"] | None = None
    """What `think_share` counts: records seen (when absent), or the tokens that are learnt."""
    order: Order | None = None
    """Easy to hard; all is shuffled when absent."""
    seed: int = Field(0, ge=0, lt=2**48)
    """Seed of counts and switches."""

    @property
    def counts_tokens(self) -> bool:
        """Whether the query asks how long records are."""
        by_length = self.order is not None and self.order.by == "length"
        return by_length or self.max_tokens is not None or self.think_share_of == "tokens"

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Names of the labels that it reads, by source."""
        found: dict[str, dict[str, None]] = {}
        for take in self.take:
            named = [where.label for where in (*(self.where or ()), *(take.where or ()))]
            named += [self.order.label] if self.order and self.order.label else []
            found.setdefault(take.source, {}).update(dict.fromkeys(named))
        return {source: tuple(sorted(named)) for source, named in found.items() if named}


_LATER = (
    "total", "licences", "where", "max_tokens", "per_image", "per_question", "think_share_of",
    "order", "domains", "share", "max_repeat",
)  # fmt: skip


def told(mix: Mix) -> dict[str, Any]:
    """A mix's slice: fields that came later stand in it only where they are used."""
    tree = mix.model_dump(mode="json")
    return {**_used(tree), "take": [_used(take) for take in tree["take"]]}


def _used(tree: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in tree.items() if value is not None or name not in _LATER}
