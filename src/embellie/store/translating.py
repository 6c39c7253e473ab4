"""Translating: SQL in DuckDB's dialect to PostgreSQL's and Spark's, or a refusal.

Only what is listed here is translated, each construct tested with its results on every engine. sqlglot would translate
more, but some of it silently into something else: an exact quantile into an approximate one, a division of whole numbers
into a truncated one. What engines do differently is written by hand; the rest is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from embellie.domain.errors import InputError

Dialect = Literal["postgres", "spark"]


class NotPortable(InputError):
    """SQL that is not known to mean the same on every engine."""

    code = "not_portable"


@dataclass(frozen=True, slots=True)
class Translated:
    """SQL for one engine, and the parameters it names, in the order of their numbers."""

    sql: str
    parameters: tuple[str, ...]


_NONE, _ONE = frozenset[str](), frozenset({"this"})
_TWO, _MANY = frozenset({"this", "expression"}), frozenset({"this", "expressions"})

_KNOWN: Mapping[type[exp.Expr], frozenset[str]] = {
    # Queries. What is not named (DISTINCT ON, QUALIFY, SAMPLE, hints, recursion …) is refused.
    exp.Select: frozenset({"expressions", "from_", "joins", "where", "group", "having", "order", "limit", "with_", "distinct"}),
    exp.Union: frozenset({"this", "expression", "with_", "distinct", "order", "limit"}),
    exp.With: frozenset({"expressions"}),
    exp.CTE: frozenset({"this", "alias", "materialized"}),
    exp.TableAlias: frozenset({"this", "columns"}),
    exp.Subquery: frozenset({"this", "alias"}),
    exp.From: _ONE,
    exp.Join: frozenset({"this", "on", "using", "side", "kind"}),
    exp.Table: frozenset({"this", "alias"}),
    exp.Values: frozenset({"expressions", "alias"}),
    exp.Tuple: frozenset({"expressions"}),
    exp.Where: _ONE,
    exp.Group: frozenset({"expressions"}),
    exp.Having: _ONE,
    exp.Order: frozenset({"expressions"}),
    exp.Ordered: frozenset({"this", "desc", "nulls_first"}),
    exp.Limit: frozenset({"expression"}),
    exp.Distinct: frozenset({"expressions"}),
    exp.Alias: frozenset({"this", "alias"}),
    exp.Column: frozenset({"this", "table"}),
    exp.Identifier: frozenset({"this", "quoted"}),
    exp.Star: _NONE,
    exp.Paren: _ONE,
    # Values.
    exp.Literal: frozenset({"this", "is_string"}),
    exp.Boolean: _ONE,
    exp.Null: _NONE,
    exp.Placeholder: _ONE,
    exp.Interval: frozenset({"this", "unit"}),
    exp.Var: _ONE,
    exp.Cast: frozenset({"this", "to"}),
    exp.TryCast: frozenset({"this", "to", "safe"}),
    exp.DataType: frozenset({"this", "expressions", "nested"}),
    exp.DataTypeParam: _ONE,
    # Operators.
    **dict.fromkeys(
        (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.And, exp.Or, exp.Add, exp.Sub, exp.Mul, exp.IntDiv,
         exp.Mod, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is),
        _TWO,
    ),
    exp.Div: frozenset({"this", "expression", "typed", "safe"}),
    exp.DPipe: frozenset({"this", "expression", "safe"}),
    exp.Not: _ONE,
    exp.Neg: _ONE,
    exp.In: frozenset({"this", "expressions", "query"}),
    exp.Between: frozenset({"this", "low", "high"}),
    exp.Exists: _ONE,
    exp.Case: frozenset({"this", "ifs", "default"}),
    exp.If: frozenset({"this", "true"}),
    # Functions of one row.
    exp.Coalesce: _MANY,
    exp.Nullif: _TWO,
    exp.Least: _MANY | {"ignore_nulls"},
    exp.Greatest: _MANY | {"ignore_nulls"},
    exp.Abs: _ONE,
    exp.Floor: _ONE,
    exp.Sqrt: _ONE,
    exp.Ln: _ONE,
    exp.Exp: _ONE,
    exp.Trim: _ONE,
    exp.DateDiff: frozenset({"this", "expression", "unit", "date_part_boundary"}),
    exp.ToDays: _ONE,
    exp.Explode: _ONE,
    # Aggregates.
    exp.Count: frozenset({"this", "big_int"}),
    exp.Sum: _ONE,
    exp.Min: _ONE,
    exp.Max: _ONE,
    exp.Avg: _ONE,
    exp.Variance: _ONE,
    exp.CovarSamp: _TWO,
    exp.LogicalAnd: _ONE,
    exp.LogicalOr: _ONE,
    exp.PercentileCont: _TWO,
    exp.Filter: _TWO,
    exp.Window: frozenset({"this", "partition_by", "order", "over"}),
    exp.RowNumber: _NONE,
    exp.Ntile: _ONE,
}  # fmt: skip
"""Each construct, and those of its parts that are translated."""

_FUNCTIONS = {"isfinite": 1}
"""What DuckDB has and sqlglot does not know: name and number of arguments."""

_TYPES = {"DOUBLE", "TEXT", "VARCHAR", "BIGINT", "DATE", "TIMESTAMP", "TIMESTAMPNTZ", "BOOLEAN", "DECIMAL"}
_UNITS = {"DAY", "HOUR", "MINUTE", "SECOND"}
_NUMBER = r"^\s*[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]{1,3})?\s*$"
_WORD = r"^\s*[-+]?(inf|infinity|nan)\s*$"


@lru_cache(maxsize=256)
def translate(
    sql: str,
    dialect: Dialect,
    *,
    relations: tuple[tuple[str, str], ...] = (),
    booleans: frozenset[str] = frozenset(),
    casts: tuple[tuple[str, str], ...] = (),
) -> Translated:
    """Translate one query from DuckDB's dialect.

    Every name is quoted, so that `at` and `release` are names everywhere; names without quotes count as lower case.

    Args:
        sql: A query; parameters are written `$name`.
        dialect: For PostgreSQL parameters become `$1`, `$2`, …; for Spark `:name`.
        relations: What stands for a table, in the engine's own SQL: a name or a subquery in parentheses.
        booleans: Columns that hold true and false: PostgreSQL neither adds them up nor puts them in order.
        casts: Parameters that arrive as text, and the type each has.

    Raises:
        NotPortable: Naming what this translator does not know.
    """
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
    except SqlglotError as error:
        first = str(error).strip().splitlines()[0]
        raise NotPortable(f"This SQL cannot be read: {first}", hint="Write it as DuckDB does.") from None
    for node in tree.walk():
        _check(node)
    names: dict[str, None] = {}
    types = dict(casts)

    def rewritten(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Cast) and node.to.this.value == "INT":
            if node.this.name not in booleans:
                raise _unknown(node.sql(dialect="duckdb"))
            return node
        if isinstance(node, exp.Placeholder):
            names.setdefault(node.name)
            return _parameter(node, dialect, number=list(names).index(node.name) + 1, type_=types.get(node.name, ""))
        rewrite = _REWRITES.get((dialect, type(node))) or _REWRITES.get(("", type(node)))
        if rewrite:
            return rewrite(node)
        column = node.this if dialect == "postgres" and isinstance(node, exp.Cast | exp.Min | exp.Max) else None
        return _of_boolean(node) if isinstance(column, exp.Column) and column.name in booleans else node

    _rename(tree, dict(relations), dialect)
    # From the leaves up: what a rewrite puts in place is not looked at again.
    written = _from_leaves(tree, rewritten)
    try:
        text = written.sql(dialect=dialect, identify=True, unsupported_level=sqlglot.ErrorLevel.RAISE)
    except SqlglotError as error:
        raise NotPortable(f"This SQL cannot be written for {dialect}: {error}.") from None
    return Translated(text, tuple(names))


def _check(node: exp.Expr) -> None:
    """Refuse a construct, or a part of one, that is not in the table."""
    if isinstance(node, exp.Anonymous):
        if _FUNCTIONS.get(node.name.lower()) != len(node.expressions):
            raise _unknown(f"{node.name}()")
        return
    known = _KNOWN.get(type(node))
    if known is None:
        raise _unknown(node.sql(dialect="duckdb"))
    parts = {name for name, value in node.args.items() if value not in (None, False, [], "")}
    if not parts <= known or not _FORMS.get(type(node), _always)(node):
        raise _unknown(node.sql(dialect="duckdb"))
    if isinstance(node, exp.Div | exp.IntDiv | exp.Mod) and not _not_zero(node.expression):
        raise NotPortable(
            f"`{node.sql(dialect='duckdb')}` may divide by zero, which each engine answers differently.",
            hint="Divide by `nullif(…, 0)`, a number or a parameter.",
        )


def _always(node: Any) -> bool:
    return node is not None


def _unknown(what: str) -> NotPortable:
    short = what if len(what) <= 80 else what[:77] + "…"
    return NotPortable(
        f"`{short}` is not known to mean the same on every engine.",
        hint="Write it with the SQL that docs/how-to/engines.md lists, or run it on DuckDB.",
    )


def _cast_is_known(node: Any) -> bool:
    type_ = node.to.this.value
    if isinstance(node, exp.TryCast):
        return bool(type_ == "DOUBLE")
    if type_ == "INT":  # of yes and no only: fractions are rounded here and cut off there
        return isinstance(node.this, exp.Column)
    return type_ in _TYPES and not (type_.startswith("TIMESTAMP") and "inf" in node.this.name.lower())


def _interval_is_known(node: Any) -> bool:
    return isinstance(node.this, exp.Literal) and node.unit is not None and node.unit.name.upper() in _UNITS


def _join_is_known(node: Any) -> bool:
    return f"{node.side} {node.kind}".strip() in {"", "LEFT", "LEFT OUTER", "INNER", "CROSS"}


def _distinct_is_known(node: Any) -> bool:
    if isinstance(node.parent, exp.Select):
        return not node.expressions
    counted = node.expressions[0].unnest() if len(node.expressions) == 1 else None
    return isinstance(node.parent, exp.Count) and counted is not None and not isinstance(counted, exp.Tuple)


_FORMS: Mapping[type[exp.Expr], Callable[[Any], bool]] = {
    exp.Cast: _cast_is_known,
    exp.TryCast: _cast_is_known,
    exp.Interval: _interval_is_known,
    exp.DateDiff: lambda node: node.args["unit"].name.upper() == "DAY",
    exp.Distinct: _distinct_is_known,
    exp.Window: lambda node: isinstance(node.this, exp.RowNumber | exp.Ntile),
    exp.Join: _join_is_known,
    exp.Explode: lambda node: isinstance(node.parent, exp.Alias) and isinstance(node.this, exp.Column),
    exp.Placeholder: lambda node: isinstance(node.this, str) and node.name.isidentifier(),
}
"""Which forms of a construct are translated, where not all are."""


def _not_zero(divisor: exp.Expr) -> bool:
    if isinstance(divisor, exp.Literal):
        return float(divisor.this) != 0
    if isinstance(divisor, exp.Paren):
        return _not_zero(divisor.this)
    return isinstance(divisor, exp.Placeholder) or (
        isinstance(divisor, exp.Nullif) and divisor.expression.sql() in {"0", "0.0"}
    )


def _rename(tree: exp.Expr, relations: Mapping[str, str], dialect: Dialect) -> None:
    """Put the engine's own tables in the place of `source` and `events`."""
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in list(tree.find_all(exp.Table)):
        name = table.name
        if name in own:
            continue
        if name not in relations:
            raise NotPortable(f"There is no table `{name}` here.", hint=f"There is: {', '.join(relations) or 'none'}.")
        stands = sqlglot.parse_one(f"SELECT * FROM {relations[name]}", read=dialect).args["from_"].this
        alias = exp.to_identifier(table.alias or name, quoted=True)
        stands.set("alias", exp.TableAlias(this=alias))
        for node in stands.walk():
            node.meta["theirs"] = True
        table.replace(stands)


def _from_leaves(tree: exp.Expr, rewrite: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    for node in reversed(list(tree.walk())):
        if node.meta.get("theirs"):
            continue
        if isinstance(node, exp.Identifier) and not node.quoted:
            node.set("this", node.this.lower())
        replacement = rewrite(node)
        if replacement is not node:
            if node is tree:
                tree = replacement
            else:
                node.replace(replacement)
    return tree


def _parameter(node: exp.Expr, dialect: Dialect, *, number: int, type_: str) -> exp.Expr:
    if dialect == "postgres":
        return exp.Parameter(this=exp.Literal.number(number))
    plain = exp.Placeholder(this=node.name)
    return exp.Cast(this=plain, to=exp.DataType.build(type_, dialect=dialect)) if type_ else plain


def _isfinite(node: Any) -> exp.Expr:
    """NaN lies above infinity on both, and a missing number stays missing."""
    (number,) = node.expressions
    low, high = (_double(exp.Literal.string(word)) for word in ("-Infinity", "Infinity"))
    return exp.paren(exp.and_(exp.GT(this=number.copy(), expression=low), exp.LT(this=number.copy(), expression=high)))


def _double(value: exp.Expr) -> exp.Expr:
    return exp.Cast(this=value, to=exp.DataType.build("double"))


def _quantile_spark(node: Any) -> exp.Expr:
    return exp.Anonymous(this="percentile", expressions=[node.this, node.expression])


def _number_spark(node: Any) -> exp.Expr:
    """Java reads `1d` as a number; DuckDB does not."""
    text = node.this
    looks = exp.Or(this=_matches("spark", text, _NUMBER), expression=_matches("spark", text, f"(?i){_WORD}"))
    return _case((looks, exp.TryCast(this=text.copy(), to=exp.DataType.build("double"), safe=True)))


def _number_postgres(node: Any) -> exp.Expr:
    """PostgreSQL 15 has no TRY_CAST, and refuses what is too large or too small for a double; DuckDB rounds it."""
    text = node.this
    exact = exp.Cast(this=text.copy(), to=exp.DataType.build("decimal"))
    size = exp.Abs(this=exact)
    rounded = _case(
        (exp.GT(this=size, expression=exp.Literal.number("1.797693134862315e308")), _infinite(exact)),
        (exp.LT(this=size.copy(), expression=exp.Literal.number("2.3e-308")), exp.Literal.number(0)),
        default=_double(exact.copy()),
    )
    word = _double(text.copy())
    return _case((_matches("postgres", text, _NUMBER), rounded), (_matches("postgres", text, f"(?i){_WORD}"), word))


def _infinite(number: exp.Expr) -> exp.Expr:
    positive = exp.GT(this=number.copy(), expression=exp.Literal.number(0))
    low, high = (_double(exp.Literal.string(word)) for word in ("-Infinity", "Infinity"))
    return _case((positive, high), default=low)


def _matches(dialect: Dialect, text: exp.Expr, pattern: str) -> exp.Expr:
    if dialect == "postgres":
        return exp.RegexpLike(this=text.copy(), expression=exp.Literal.string(pattern))
    return exp.Anonymous(this="regexp_like", expressions=[text.copy(), exp.Literal.string(pattern)])


def _case(*branches: tuple[exp.Expr, exp.Expr], default: exp.Expr | None = None) -> exp.Expr:
    ifs = [exp.If(this=condition, true=value) for condition, value in branches]
    return exp.Case(ifs=ifs, default=default)


def _quotient(node: Any) -> exp.Expr:
    """`/` is a division of real numbers in DuckDB, whatever is divided."""
    return exp.Div(this=_double(node.this), expression=_double(node.expression), typed=True, safe=False)


def _days_between(node: Any) -> exp.Expr:
    """Midnights between two times; Spark's `DATEDIFF(DAY, …)` counts whole days of 24 hours."""
    later, earlier = (exp.Cast(this=part, to=exp.DataType.build("date")) for part in (node.this, node.expression))
    return exp.Anonymous(this="datediff", expressions=[later, earlier])


def _days_between_postgres(node: Any) -> exp.Expr:
    later, earlier = (exp.Cast(this=part, to=exp.DataType.build("date")) for part in (node.this, node.expression))
    return exp.paren(exp.Sub(this=later, expression=earlier))


def _days_postgres(node: Any) -> exp.Expr:
    day = exp.Interval(this=exp.Literal.string("1"), unit=exp.Var(this="DAY"))
    return exp.paren(exp.Mul(this=_double(node.this), expression=day))


def _days_spark(node: Any) -> exp.Expr:
    return exp.Anonymous(this="make_dt_interval", expressions=[node.this])


def _named(node: Any) -> Any:
    """PostgreSQL wants a name for each query that stands for a table."""
    if isinstance(node.parent, exp.From | exp.Join) and not node.alias:
        node.set("alias", exp.TableAlias(this=exp.to_identifier("unnamed", quoted=True)))
    return node


def _in_some_order(node: Any) -> Any:
    """Spark numbers rows only in an order; where none is asked for, the one they come in."""
    if not node.args.get("order"):
        node.set("order", exp.Order(expressions=[exp.Ordered(this=exp.Literal.string(""))]))
    return node


def _once_cte(node: Any) -> Any:
    """Spark computes a common table anew for whoever reads it, unless it cannot know that it would come out the same."""
    if node.args.get("materialized"):
        drawn = exp.GTE(this=exp.Anonymous(this="rand"), expression=exp.Literal.number(0))
        once = exp.select("*").from_(exp.Subquery(this=node.this, alias=exp.TableAlias(this=exp.to_identifier("once"))))
        node.set("this", once.where(drawn))
    node.set("materialized", None)
    return node


def _cast_spark(node: Any) -> Any:
    """Spark cuts a fraction off where the others round."""
    if node.to.this.value == "BIGINT" and not isinstance(node.this, exp.Floor | exp.Count):
        node.set("this", exp.Anonymous(this="bround", expressions=[node.this.copy()]))
    return node


def _of_boolean(node: exp.Expr) -> exp.Expr:
    """PostgreSQL makes a number of true and false by way of INT only, and has no least and greatest of them."""
    if isinstance(node, exp.Min):
        return exp.LogicalAnd(this=node.this)
    if isinstance(node, exp.Max):
        return exp.LogicalOr(this=node.this)
    if isinstance(node, exp.Cast) and node.to.this.value in {"DOUBLE", "DECIMAL", "BIGINT"}:
        node.set("this", exp.Cast(this=node.this.copy(), to=exp.DataType.build("int")))
    return node


_REWRITES: Mapping[tuple[str, type[exp.Expr]], Callable[[Any], exp.Expr]] = {
    ("", exp.Anonymous): _isfinite,
    ("", exp.Div): _quotient,
    ("", exp.Subquery): _named,
    ("postgres", exp.TryCast): _number_postgres,
    ("postgres", exp.DateDiff): _days_between_postgres,
    ("postgres", exp.ToDays): _days_postgres,
    ("spark", exp.TryCast): _number_spark,
    ("spark", exp.Window): _in_some_order,
    ("spark", exp.Cast): _cast_spark,
    ("spark", exp.PercentileCont): _quantile_spark,
    ("spark", exp.DateDiff): _days_between,
    ("spark", exp.ToDays): _days_spark,
    ("spark", exp.CTE): _once_cte,
}
"""What is written by hand: by dialect ("" for both) and construct."""
