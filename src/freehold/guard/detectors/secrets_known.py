# ruff: noqa: SIM905 - a list of digests reads best as such
"""Digests of keys that vendors publish in their manuals and samples, so that everyone has them: no secrets.

First 16 figures of SHA-256 of each, so that this file itself holds nothing that a scanner would find. Google's sample
keys as the gitleaks project lists them (MIT), AWS's and Stripe's from their manuals; November 2026.
"""

PUBLISHED = frozenset(
    """
        0b476bdf9acf2123 1a5d44a2dca19669 2037abcaffb2b777 27a9a42931dff7eb 2cafc0970149a84f 37f8f09bdf12c2f2
        3a8b61d0f636b007 3f370c9dd8225c63 49f777db995e8260 4c98242dcadc8b29 78314b11be2e5815 8731261cb72d8626
        a19f89ab3555eac1 a6c814bc555ae62c dc0fcf046c61640c e4a5542bb7fd7b67 ea9bb1082cf95663 eb540d2b6ee2a0a4
    """.split()
)
