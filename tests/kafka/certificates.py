"""Authorities and certificates for brokers and clients, made by openssl for one run.

Owns: a folder of PEM files, `NAME.pem` and `NAME.key`; `NAME.keystore` has both for a broker.

  authority            signs what is right; `foreign-authority` signs what nobody shall trust
  broker               names localhost only
  broker-address       names localhost and 127.0.0.1
  broker-chained       like `broker`, signed by an intermediate authority which it brings along
  broker-expired       like `broker`, but its time is over
  broker-foreign       like `broker`, signed by the foreign authority
  client               for a client; client-foreign is signed by the foreign authority
  client-rsa, client-sec1   keys in the older forms that files still have: PKCS #1, SEC 1
"""

import subprocess

from jars import program

DAYS = "30"
#: Elliptic keys are made in no time.
ELLIPTIC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
RSA = ["-newkey", "rsa:2048"]
AUTHORITY = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
LEAF = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
BROKER = LEAF + "extendedKeyUsage=serverAuth\nsubjectAltName="
CLIENT = LEAF + "extendedKeyUsage=clientAuth\n"
#: Only `openssl ca` can date a certificate back, and it keeps a book.
BOOK = """[ca]
default_ca = book
[book]
database = book.index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = names
[names]
organizationName = supplied
commonName = supplied
"""


class Workshop:
    """The folder in which certificates are made."""

    def __init__(self, folder):
        self.folder = folder
        self.openssl = program("openssl")
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, *words):
        """One call of openssl, in the folder."""
        done = subprocess.run([self.openssl, *words], cwd=self.folder, check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise SystemExit(f"openssl {' '.join(words)} failed:\n{done.stdout[-1000:]}")

    def root(self, name):
        """An authority that vouches for itself."""
        self.request(name, ELLIPTIC)
        self.sign(name, AUTHORITY, "-signkey", f"{name}.key")

    def issue(self, name, authority, extensions, key=ELLIPTIC):
        """A key, and a certificate for it signed by that authority."""
        self.request(name, key)
        self.sign(name, extensions, "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
                  "-CAcreateserial")

    def issue_expired(self, name, authority, extensions):
        """A key, and a certificate for it whose time is over."""
        self.request(name, ELLIPTIC)
        for file, text in {"book.cnf": BOOK, "book.index": "", f"{name}.cnf": extensions}.items():
            (self.folder / file).write_text(text)
        self.run("ca", "-batch", "-notext", "-config", "book.cnf", "-in", f"{name}.csr",
                 "-cert", f"{authority}.pem", "-keyfile", f"{authority}.key",
                 "-startdate", "20200101000000Z", "-enddate", "20200201000000Z",
                 "-extfile", f"{name}.cnf", "-out", f"{name}.pem")

    def request(self, name, key):
        self.run("req", "-new", *key, "-nodes", "-sha256", "-subj", f"/O=Titorelli/CN={name}",
                 "-keyout", f"{name}.key", "-out", f"{name}.csr")

    def sign(self, name, extensions, *signer):
        (self.folder / f"{name}.cnf").write_text(extensions)
        self.run("x509", "-req", "-in", f"{name}.csr", *signer, "-sha256", "-days", DAYS,
                 "-extfile", f"{name}.cnf", "-out", f"{name}.pem")

    def append(self, name, *others):
        """Certificates that a file brings along after its own."""
        with open(self.folder / f"{name}.pem", "a", encoding="ascii") as file:
            file.writelines((self.folder / f"{other}.pem").read_text() for other in others)

    def keystore(self, name):
        """Key and certificates in one file, as Kafka reads them (KIP-651)."""
        parts = [(self.folder / f"{name}.{end}").read_text() for end in ("key", "pem")]
        (self.folder / f"{name}.keystore").write_text("".join(parts))


def make(folder):
    """Makes all of them."""
    shop = Workshop(folder)
    shop.root("authority")
    shop.root("foreign-authority")
    shop.issue("intermediate", "authority", AUTHORITY)
    shop.issue("broker", "authority", BROKER + "DNS:localhost\n")
    shop.issue("broker-address", "authority", BROKER + "DNS:localhost,IP:127.0.0.1\n")
    shop.issue("broker-chained", "intermediate", BROKER + "DNS:localhost\n")
    shop.append("broker-chained", "intermediate")
    shop.issue_expired("broker-expired", "authority", BROKER + "DNS:localhost\n")
    shop.issue("broker-foreign", "foreign-authority", BROKER + "DNS:localhost\n")
    for made in sorted(folder.glob("broker*.pem")):
        shop.keystore(made.stem)
    shop.issue("client", "authority", CLIENT)
    shop.issue("client-foreign", "foreign-authority", CLIENT)
    shop.issue("client-rsa", "authority", CLIENT, key=RSA)
    shop.issue("client-sec1", "authority", CLIENT)
    shop.run("rsa", "-in", "client-rsa.key", "-traditional", "-out", "client-rsa.key")
    shop.run("ec", "-in", "client-sec1.key", "-out", "client-sec1.key")
