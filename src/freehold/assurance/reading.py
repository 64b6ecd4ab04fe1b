"""What stands beside an export: how to read it without Freehold."""

from __future__ import annotations

README = """\
# An export of a Freehold instance

Everything here is read with tools any machine has. Check that nothing was changed since it was written:

    sha256sum --check SHA256SUMS

`manifest.json` lists every file with its digest and rows, what was left out and why. `manifest.json.ed25519` is an
Ed25519 signature over its bytes, in hexadecimal digits; the installation's public key stands in it.

| where | what | how to read it |
|---|---|---|
| `tables/NAME.jsonl.gz` | one table, a row a line | `gzip -dc tables/calls.jsonl.gz`, any JSON library |
| `contents.jsonl.gz` | prompts and answers in clear: `of` is the id of a call or record, `side` the part | as above |
| `models/NAME/` | models: safetensors, GGUF or JSON, with a manifest | any library for that format |
| `plans/` | plans as they were frozen, with the SHA-256 of their content | any JSON reader; `freehold plan show` |
| `audit/` | the audit log with its checkpoints | `audit/entries.jsonl`; checked by `verify_audit.py` of the project |
| `configuration/` | `freehold.toml`: it names where secrets stand and holds none | any TOML library |

Ids are hexadecimal digits and sort by time. Times are seconds since 1970 in UTC. Money is in picodollars (10^-12 of a
US dollar) where a column holds a whole number. Columns that hold lists or tables hold them as JSON text.

- `calls`, `attempts`: what was asked of whom, tokens, cost, label; `usage_hours`, `usage_days`: sums of it.
  `guard_hours`: what guards found, by the hour.
- `records`: calls to learn from, imported or recorded; their content is side `exchange` of `contents.jsonl.gz`, in the
  chat form of OpenAI's API. `workflows`, `workflow_templates`: the tasks found in them.
- `annotations`: what people said of answers. `eval_runs`, `eval_rows`: evaluations and their scorecards.
- `moves`, `move_events`, `pairs`: each move's rule, what happened, and every comparison it was decided by.
- `keys`, `people`, `groups`: who may do what. Secrets are kept nowhere, so they are not here either.
- An adapter under `models/` is PEFT's form (`adapter_model.safetensors`, `adapter_config.json`) beside its GGUF form.
"""
