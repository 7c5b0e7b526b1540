"""Whether a report is SendGrid's: it signs the moment of signing and the body, with ECDSA."""

import base64

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key


def read_public_key(key: str) -> EllipticCurvePublicKey:
    """Of SubjectPublicKeyInfo in base64, as SendGrid shows it. Raises ValueError."""
    try:
        public_key = load_der_public_key(base64.b64decode(key, validate=True))
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None
    if not isinstance(public_key, EllipticCurvePublicKey):
        raise ValueError("not a key for ECDSA")
    return public_key


def is_genuine(key: str, *, timestamp: str, body: bytes, signature: str) -> bool:
    """`signature`: in base64."""
    try:
        read_public_key(key).verify(
            base64.b64decode(signature, validate=True), timestamp.encode() + body, ECDSA(SHA256())
        )
    except (InvalidSignature, ValueError):
        return False
    return True
