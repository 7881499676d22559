"""What is wrong with a row."""


class RowFault(ValueError):
    """A row that cannot become a record."""

    def __init__(self, value: object, rule: str, fix: str) -> None:
        self.value, self.rule, self.fix = value, rule, fix
        shown = repr(value)
        super().__init__(f"{shown if len(shown) <= 80 else shown[:77] + '...'} {rule}")

    def __reduce__(self) -> tuple[type["RowFault"], tuple[object, str, str]]:
        return type(self), (self.value, self.rule, self.fix)
