"""The file that `freehold config init` writes."""

TEMPLATE = """\
# Freehold's configuration. Check it after each change: freehold config check
# Every key, with its default: freehold config show --origin, and docs/reference/settings.md
# A running instance takes changes at once, but for [instance], [gateway], [admin] and [serving].

[gateway]
port = 8700

# Two owned models need no line here: the routes owned-chat and owned-embed lead to them.

# A rented provider. The key itself stays outside of this file.
# [providers.openai]
# vendor = "openai"
# api_key = "${env:OPENAI_API_KEY}"

# One model there. Without a price of its own it costs what the dated list price says.
# [targets.gpt]
# provider = "openai"
# model = "gpt-5-mini"
# clearance = "internal"        # the most sensitive label it may take

# What clients name in `model`: first the owned model, then the rented one.
# [routes.assistant]
# targets = ["owned-chat", "gpt"]
# baseline = "gpt"              # what would it have cost rented?
# budget = 50                   # US dollars a month

# [teams.search]
# budget = { limit = 20, period = "day" }

# Where content may go, beside what targets are cleared for. See what it means: freehold policy table
# [policy]
# regions = ["EU"]              # where every target must stand
# home = "EU"                   # where this machine stands
# air_gapped = true             # no rented target exists
# guard = "protect"             # what every call is scanned for: freehold guard profiles

# Facts about you that licences of models ask for. What they come to: freehold models licence --all
# [licensee]
# country = "DE"                # where your seat is
# monthly_users = 1000          # of all your products
# commercial = true
"""
