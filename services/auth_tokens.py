"""Tokens of messaging services, decrypted as Spoke encrypted them with its session secret."""

import hashlib
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

MOST_REMEMBERED = 256


class CannotDecrypt(Exception):
    """There is no token, or it was encrypted with another secret."""


@lru_cache(MOST_REMEMBERED)
def decrypted(encrypted: str, secret: str) -> str:
    """`encrypted`: in hexadecimal, with AES-256-CBC; with its initialization vector before a colon,
    or, from before Spoke knew better, without one. Raises CannotDecrypt, which shows nothing."""
    try:
        vector, colon, token = encrypted.rpartition(":")
        key, iv = _key(secret, bytes.fromhex(vector)) if colon else _old_key(secret)
        decryptor = Cipher(AES256(key), CBC(iv)).decryptor()
        padded = decryptor.update(bytes.fromhex(token)) + decryptor.finalize()
        unpadder = PKCS7(AES256.block_size).unpadder()
        plain = (unpadder.update(padded) + unpadder.finalize()).decode()
    except ValueError:
        raise CannotDecrypt from None
    if not plain:  # anybody could sign with it
        raise CannotDecrypt
    return plain


def _key(secret: str, iv: bytes) -> tuple[bytes, bytes]:
    return hashlib.sha256(secret.encode()).digest(), iv


def _old_key(secret: str) -> tuple[bytes, bytes]:
    """OpenSSL's EVP_BytesToKey, with MD5, one round and no salt."""
    material = digest = b""
    while len(material) < 48:
        digest = hashlib.md5(digest + secret.encode(), usedforsecurity=False).digest()
        material += digest
    return material[:32], material[32:]
