"""The configuration file."""

import tempfile
import unittest
from pathlib import Path

from whois_server.config import Config, ConfigError, load

MINIMAL = "listen: {port: 4343}\ndatabase: {dsn: dbname=whois}\n"


class ConfigFile(unittest.TestCase):
    """What is accepted, what is filled in, and what each error says."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name, "production.yml")

    def load(self, text: str) -> Config:
        """Load a file that holds `text`."""
        self.path.write_text(text, encoding="utf-8")
        return load(self.path)

    def assert_refused(self, text: str, key: str | None, problem: str) -> None:
        """Check that `text` is refused because of `key`, and that the message says where and why."""
        with self.assertRaises(ConfigError) as caught:
            self.load(text)
        self.assertEqual(caught.exception.key, key)
        self.assertIn(problem, caught.exception.problem)
        for part in filter(None, [str(self.path), key, problem]):
            self.assertIn(part, str(caught.exception))

    def test_what_is_not_given_has_a_default(self) -> None:
        config = self.load(MINIMAL)
        self.assertEqual((config.listen.host, config.listen.port), ("0.0.0.0", 4343))
        self.assertEqual(config.log.level, "info")
        self.assertEqual((config.timeouts.idle, config.timeouts.database), (30, 5))

    def test_what_is_given_counts(self) -> None:
        config = self.load(
            "listen: {host: '::1', port: 43}\n"
            "database: {dsn: 'postgresql://whois@db.example/whois'}\n"
            "log: {level: warning}\n"
            "timeouts: {idle: 2.5, database: 1}\n"
        )
        self.assertEqual((config.listen.host, config.listen.port), ("::1", 43))
        self.assertEqual(config.database.dsn, "postgresql://whois@db.example/whois")
        self.assertEqual(config.log.level, "warning")
        self.assertEqual((config.timeouts.idle, config.timeouts.database), (2.5, 1))

    def test_the_example_is_accepted(self) -> None:
        example = Path(__file__).parent.parent / "etc" / "whois.example.yml"
        self.assertEqual(load(example).listen.port, 4343)

    def test_the_connection_string_is_not_shown(self) -> None:
        self.assertNotIn("dbname", repr(self.load(MINIMAL)))

    def test_a_file_that_is_not_there_is_named(self) -> None:
        with self.assertRaises(ConfigError) as caught:
            load(self.path)
        self.assertEqual(str(caught.exception), f"{self.path}: cannot be read: No such file or directory")

    def test_a_file_that_is_not_yaml_is_refused(self) -> None:
        self.assert_refused("listen: [", None, "is not YAML")

    def test_a_file_that_is_no_mapping_is_refused(self) -> None:
        self.assert_refused("- listen", None, "must be a mapping")

    def test_a_section_that_is_no_mapping_is_refused(self) -> None:
        self.assert_refused("listen: 43", "listen", "must be a mapping")

    def test_missing_keys_are_refused(self) -> None:
        self.assert_refused("", "listen.port", "is missing")
        self.assert_refused("listen: {port: 43}", "database.dsn", "is missing")

    def test_unknown_keys_are_refused(self) -> None:
        self.assert_refused(MINIMAL + "loging: {}", "loging", "is unknown; known are listen, database, log, timeouts")
        self.assert_refused("listen: {prot: 43}", "listen.prot", "is unknown; known are host, port")

    def test_a_host_must_be_an_address(self) -> None:
        for host in ["localhost", "256.0.0.1", "43", "[]"]:
            with self.subTest(host=host):
                self.assert_refused(f"listen: {{host: {host}, port: 43}}", "listen.host", "must be an IP address")

    def test_a_port_must_be_a_port(self) -> None:
        for port in ["0", "65536", "'43'", "true", "43.0"]:
            with self.subTest(port=port):
                self.assert_refused(f"listen: {{port: {port}}}", "listen.port", "must be a number from 1 to 65535")

    def test_a_dsn_must_be_a_connection_string(self) -> None:
        for dsn in ["''", "whois", "5432"]:
            with self.subTest(dsn=dsn):
                text = f"listen: {{port: 43}}\ndatabase: {{dsn: {dsn}}}"
                self.assert_refused(text, "database.dsn", "must be a libpq connection string")

    def test_a_level_must_be_known(self) -> None:
        self.assert_refused(MINIMAL + "log: {level: verbose}", "log.level", "must be one of debug, info")

    def test_a_timeout_must_be_a_sensible_number(self) -> None:
        for seconds in ["0", "-1", "3601", ".inf", ".nan", "true", "soon"]:
            with self.subTest(seconds=seconds):
                text = MINIMAL + f"timeouts: {{idle: {seconds}}}"
                self.assert_refused(text, "timeouts.idle", "must be a number of seconds above 0 and up to 3600")


if __name__ == "__main__":
    unittest.main()
