"""Certificates of signers: whether a chain leads to an authority that counts, for signing.

Checked as of the day the signer's certificate began, as the Model Signing format has it: without a time stamp of a
third party nothing says when it was used, and weights outlive certificates.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from freehold.core.errors import BadArtefact, BadSignature

HINT = "where you trust its authority, name the certificate in [models] authorities"


def trusted_leaf(chain: Sequence[bytes], authorities: Sequence[bytes]) -> x509.Certificate:
    """The signer's certificate, first of `chain` (DER), where it leads to one of `authorities` (PEM).

    Raises BadArtefact for what is no certificate, BadSignature where no way leads there or it is not for signing.
    """
    try:
        leaf, *between = [x509.load_der_x509_certificate(one) for one in chain]
        roots = [one for pem in authorities for one in x509.load_pem_x509_certificates(pem)]
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadArtefact(f"a certificate cannot be read: {error}") from None
    if not roots:
        raise BadSignature(f"signed by {subject_of(leaf)}, and no authority counts here", hint=HINT)
    policy = (
        PolicyBuilder()
        .store(Store(roots))
        .time(leaf.not_valid_before_utc)
        .extension_policies(
            ca_policy=ExtensionPolicy.webpki_defaults_ca(),
            ee_policy=ExtensionPolicy.permit_all(),  # of the signer's own, those that matter are looked at below
        )
    )
    try:
        policy.build_client_verifier().verify(leaf, [one for one in between if one not in roots])
    except (VerificationError, ValueError, UnsupportedAlgorithm) as error:
        said = str(error).splitlines()[0][:200]
        raise BadSignature(
            f"signed by {subject_of(leaf)}, whom no authority here vouches for: {said}", hint=HINT
        ) from None
    if not _signs(leaf):
        raise BadSignature(f"the certificate of {subject_of(leaf)} is not for signing")
    return leaf


def subject_of(certificate: x509.Certificate) -> str:
    """Whom it names, as one line."""
    return certificate.subject.rfc4514_string()[:200]


def _signs(leaf: x509.Certificate) -> bool:
    try:
        found = leaf.extensions
    except (ValueError, x509.DuplicateExtension):
        return False
    for one in found:
        if isinstance(one.value, x509.BasicConstraints) and one.value.ca:
            return False
    for one in found:
        if isinstance(one.value, x509.KeyUsage) and one.value.digital_signature:
            return True
        if isinstance(one.value, x509.ExtendedKeyUsage) and ExtendedKeyUsageOID.CODE_SIGNING in one.value:
            return True
    return False
