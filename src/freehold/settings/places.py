"""Which line of a TOML text each key stands on. The text is known to parse, so this only walks it."""

from __future__ import annotations

Path = tuple[str | int, ...]


def places(text: str) -> dict[Path, int]:
    """Line (from 1) of every table, key and array item, by its path."""
    walker = _Walker(text)
    walker.document()
    return walker.found


class _Walker:
    """A position in the text, and what was found before it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        while self._skip():
            line = self._line()
            if self.text[self.at] == "[":
                table = self._header(line)
            else:
                self._pair(table)

    def _header(self, line: int) -> Path:
        many = self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        path: Path = ()
        names = self._key()
        for depth, name in enumerate(names, 1):
            path = (*path, name)
            if path in self._tables and not (many and depth == len(names)):
                path = (*path, self._tables[path])
            if depth < len(names):
                self.found.setdefault(path, line)  # a table nobody wrote, implied by this one
        if many:
            self._tables[path] = self._tables.get(path, -1) + 1
            self.found.setdefault(path, line)
            path = (*path, self._tables[path])
        self.at += 2 if many else 1
        self.found.setdefault(path, line)
        return path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = table
        for name in self._key():
            path = (*path, name)
            self.found.setdefault(path, line)
        self.at += 1  # the equals sign
        self._value(path)

    def _key(self) -> list[str]:
        """The parts of a key, up to its `=` or `]`."""
        parts: list[str] = []
        while self.text[self.at] not in "=]":
            mark = self.text[self.at]
            if mark in "\"'":
                start = self.at
                self._string()
                parts.append(self.text[start + 1 : self.at - 1])
            elif mark in " \t.":
                self.at += 1
            else:
                start = self.at
                while self.text[self.at] not in " \t.=]":
                    self.at += 1
                parts.append(self.text[start : self.at])
        return parts

    def _value(self, path: Path) -> None:
        self._skip()
        self.found.setdefault(path, self._line())
        mark = self.text[self.at]
        if mark in "\"'":
            self._string()
        elif mark == "[":
            self._items(path)
        elif mark == "{":
            self.at += 1
            while self._skip(",") and self.text[self.at] != "}":
                self._pair(path)
            self.at += 1
        else:
            while self.at < len(self.text) and self.text[self.at] not in ",]}#\n":
                self.at += 1

    def _items(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self._skip(",") and self.text[self.at] != "]":
            self._value((*path, index))
            index += 1
        self.at += 1

    def _string(self) -> None:
        mark = self.text[self.at]
        if self.text.startswith(mark * 3, self.at):
            end = self.at + 3
            while not self.text.startswith(mark * 3, end):
                end += 2 if mark == '"' and self.text[end] == "\\" else 1
            while self.text.startswith(mark, end + 3):
                end += 1
            self.at = end + 3
            return
        end = self.at + 1
        while self.text[end] != mark:
            end += 2 if mark == '"' and self.text[end] == "\\" else 1
        self.at = end + 1

    def _skip(self, more: str = "") -> bool:
        """Past space, newlines, comments and `more`. False at the end of the text."""
        while self.at < len(self.text):
            mark = self.text[self.at]
            if mark == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif mark in " \t\r\n" or mark in more:
                self.at += 1
            else:
                return True
        return False

    def _line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1
