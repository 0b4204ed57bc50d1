"""Parts of a page that a command writes: what stands between `<!-- NAME -->` and `<!-- end -->`."""


def between(page: str, name: str, part: str) -> str:
    r"""Put another part into a page.

    Raises:
        ValueError: the page lacks the two lines of the part.

    Examples:
        >>> between("before\n<!-- table -->\nold\n<!-- end -->\nafter\n", "table", "new")
        'before\n<!-- table -->\nnew\n<!-- end -->\nafter\n'
    """
    first, last = f"<!-- {name} -->\n", "<!-- end -->"
    before, found, rest = page.partition(first)
    _, ended, after = rest.partition(last)
    if not (found and ended):
        raise ValueError(f"no line '{first.strip()}' with a line '{last}' below it")
    return f"{before}{first}{part.strip()}\n{last}{after}"
