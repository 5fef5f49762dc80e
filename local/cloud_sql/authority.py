"""The certificates of an instance: its own, and those it signs for its callers."""

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

_EARLIER: Final = timedelta(minutes=5)
_LATER: Final = timedelta(days=1)


class Authority:
    """A CA for one instance, which is known as "project:instance"."""

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(f"CA of {instance}")
        public = self._key.public_key()
        builder = _builder(self._name, self._name, public, _LATER)
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self._certificate = builder.sign(self._key, hashes.SHA256())

    @property
    def pem(self) -> str:
        """The CA's own certificate."""
        return _pem(self._certificate)

    def sign(self, public_key: str, lifetime: timedelta) -> tuple[str, int]:
        """Make a caller's certificate; return it with its serial number."""
        key = serialization.load_pem_public_key(public_key.encode())
        if not isinstance(key, rsa.RSAPublicKey):
            raise TypeError("Cloud SQL signs RSA keys")
        certificate = self._sign("a caller", key, lifetime)
        return _pem(certificate), certificate.serial_number

    def server_context(self) -> ssl.SSLContext:
        """Make the TLS context of the instance: it demands a certificate that we signed."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(self._instance, key.public_key(), _LATER)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=self.pem)
        with tempfile.TemporaryDirectory() as folder:
            chain = Path(folder) / "server.pem"
            private = key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            chain.write_bytes(private + _pem(certificate).encode())
            context.load_cert_chain(chain)
        return context

    def _sign(
        self, name: str, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, lifetime: timedelta
    ) -> x509.Certificate:
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = _builder(_name(name), self._name, key, lifetime)
        builder = builder.add_extension(issuer, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
