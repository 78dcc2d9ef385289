"""How a client reaches the brokers: `kafka.*` of docs/CONFIGURATION.md for librdkafka in Python."""

import base64
import json
import os
import time
import urllib.request

#: Where a machine of Google's asks for a token of its service account.
_METADATA = "/computeMetadata/v1/instance/service-accounts/default/token"


def options(settings):
    """What a client is made of, without secrets: it travels to Spark's workers."""
    return {
        "bootstrap": settings.bootstrap, "security": settings.security,
        "username": settings.username, "password_file": settings.password_file,
        "ca_file": settings.ca_file, "group": settings.topic_prefix + "features"}


def configuration(client):
    """librdkafka's configuration. Reads the password's file."""
    made = {
        "bootstrap.servers": client["bootstrap"],
        "client.id": "tillbox-features",
        "socket.timeout.ms": 10_000,
        "reconnect.backoff.max.ms": 2_000,
        # A line for each attempt to connect would be forty a second; the job says what it waits for.
        "log_level": 2,
        "broker.address.family": "v4" if _is_local(client["bootstrap"]) else "any",
    }
    security = client["security"]
    if security == "plaintext":
        return made
    made["security.protocol"] = "SSL" if security == "tls" else "SASL_SSL"
    if client["ca_file"]:
        made["ssl.ca.location"] = client["ca_file"]
    if security == "sasl_plain":
        made["sasl.mechanism"] = "PLAIN"
        made["sasl.username"] = client["username"]
        with open(client["password_file"], encoding="utf-8") as file:
            made["sasl.password"] = file.read().rstrip("\r\n")
    elif security == "sasl_google":
        made["sasl.mechanism"] = "OAUTHBEARER"
        made["oauth_cb"] = lambda _: google_token(client["username"])
    return made


def _is_local(bootstrap):
    return bootstrap.startswith(("127.0.0.1:", "localhost:"))


def google_token(account):
    """Google's three-part token and when it ends, in Unix seconds; from the metadata server.

    The brokers of Managed Service for Apache Kafka take no bare access token.
    """
    host = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
    request = urllib.request.Request(
        f"http://{host}{_METADATA}", headers={"Metadata-Flavor": "Google"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        given = json.load(answer)
    now = int(time.time())
    ends = now + int(given["expires_in"])
    parts = (
        {"typ": "JWT", "alg": "GOOG_OAUTH2_TOKEN"},
        {"exp": ends, "iat": now, "iss": "Google", "sub": account},
        given["access_token"])
    return ".".join(_encoded(part) for part in parts), float(ends)


def _encoded(part):
    text = part if isinstance(part, str) else json.dumps(part, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def java_configuration(client):
    """The same for the Java client of Spark's own source."""
    made = {"bootstrap.servers": client["bootstrap"], "isolation.level": "read_committed"}
    security = client["security"]
    if security == "plaintext":
        return made
    made["security.protocol"] = "SSL" if security == "tls" else "SASL_SSL"
    if client["ca_file"]:
        made |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": client["ca_file"]}
    if security == "sasl_plain":
        with open(client["password_file"], encoding="utf-8") as file:
            password = file.read().rstrip("\r\n")
        quoted = [
            text.replace("\\", "\\\\").replace('"', '\\"')
            for text in (client["username"], password)]
        made |= {
            "sasl.mechanism": "PLAIN",
            "sasl.jaas.config":
                "org.apache.kafka.common.security.plain.PlainLoginModule required "
                f'username="{quoted[0]}" password="{quoted[1]}";'}
    elif security == "sasl_google":
        # Google's own library, which comes with its login handler.
        made |= {
            "sasl.mechanism": "OAUTHBEARER",
            "sasl.login.callback.handler.class":
                "com.google.cloud.hosted.kafka.auth.GcpLoginCallbackHandler",
            "sasl.jaas.config":
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;"}
    return made
