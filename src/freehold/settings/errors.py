"""What can be wrong with a configuration, one class a code; all of them are BadConfig."""

from __future__ import annotations

from freehold.core.errors import BadConfig


class MissingConfig(BadConfig):
    """The configuration file that was named is not there."""

    code = "FH-CFG-010"
    hint_text = "write one: freehold config init"


class BadSyntax(BadConfig):
    """The file is not TOML."""

    code = "FH-CFG-011"
    hint_text = "mend the line, then: freehold config check"


class UnknownSetting(BadConfig):
    """A table has no such key. Unknown keys are errors, so that a slip of the pen is never silently ignored."""

    code = "FH-CFG-012"
    hint_text = "rename it, then: freehold config check"


class BadSetting(BadConfig):
    """A setting's value is not of the right kind, or not in its range."""

    code = "FH-CFG-013"
    hint_text = "give a value as the settings reference says, then: freehold config check"


class MissingSetting(BadConfig):
    """A table lacks a key it must have."""

    code = "FH-CFG-014"
    hint_text = "add it, then: freehold config check"


class DanglingName(BadConfig):
    """A setting names a provider, target, route or team that is not there."""

    code = "FH-CFG-015"
    hint_text = "declare it or correct the name, then: freehold config check"


class BadInterpolation(BadConfig):
    """`${...}` stands in a setting that takes no secret, or names something other than `env:` or `file:`."""

    code = "FH-CFG-016"
    hint_text = "write the value itself; only secrets are read from ${env:NAME} or ${file:PATH}"


class UnsafeUrl(BadConfig):
    """A provider's address is neither https nor plain http on this machine."""

    code = "FH-CFG-017"
    hint_text = "use https; a private certificate's issuer goes into tls_ca"


class PlainSecret(BadConfig):
    """A secret stands in the file itself."""

    code = "FH-CFG-018"
    hint_text = "put it into the environment or a file, and write ${env:NAME} or ${file:PATH}"


class MissingSecret(BadConfig):
    """A secret's reference leads to nothing."""

    code = "FH-CFG-019"
    hint_text = "set the variable or write the file where the instance runs"


class BadRules(BadConfig):
    """The tenants' own rules cannot be read, or speak of what there is not."""

    code = "FH-CFG-020"
    hint_text = "mend the rules, then: freehold policy check"
