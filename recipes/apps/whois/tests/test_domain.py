"""Names and the text of a registration."""

import unittest
from datetime import date

from whois_server.domain import Domain, MalformedName, normalise, render


class Normalise(unittest.TestCase):
    """How a query becomes the name that is looked up."""

    def test_a_name_is_lowered_trimmed_and_loses_its_final_dot(self) -> None:
        self.assertEqual(normalise("  Example.ORG. \r"), "example.org")

    def test_an_internationalised_name_becomes_a_labels(self) -> None:
        self.assertEqual(normalise("Bücher.example"), "xn--bcher-kva.example")

    def test_what_is_no_domain_name_is_refused(self) -> None:
        long_name = ".".join(["a" * 63] * 4)
        for query in ["", ".", "a..b", "-a.org", "a-.org", "a b.org", "a_b.org", "a" * 64, long_name, "a.org\0"]:
            with self.subTest(query=query), self.assertRaises(MalformedName):
                normalise(query)

    def test_the_longest_label_and_the_longest_name_are_taken(self) -> None:
        longest = ".".join(["a" * 63] * 3 + ["a" * 61])
        self.assertEqual(len(longest), 253)
        self.assertEqual(normalise(longest), longest)


class Render(unittest.TestCase):
    """How a registration is written."""

    def test_a_full_registration_has_a_line_for_each_fact(self) -> None:
        domain = Domain(
            name="example.org",
            registrar="Bücher GmbH",
            registered=date(1995, 8, 31),
            expires=date(2035, 8, 30),
            nameservers=("ns1.example.net", "ns2.example.net"),
            status="active",
        )
        self.assertEqual(
            render(domain),
            "Domain Name: example.org\r\n"
            "Registrar: Bücher GmbH\r\n"
            "Creation Date: 1995-08-31\r\n"
            "Registry Expiry Date: 2035-08-30\r\n"
            "Name Server: ns1.example.net\r\n"
            "Name Server: ns2.example.net\r\n"
            "Domain Status: active\r\n",
        )

    def test_what_is_not_known_is_left_out(self) -> None:
        self.assertEqual(render(Domain(name="pending.example")), "Domain Name: pending.example\r\n")


if __name__ == "__main__":
    unittest.main()
