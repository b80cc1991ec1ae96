-- The table that the server reads, and three registrations to try it with.
-- Names are stored as they are looked up: lower case, internationalised labels in their xn-- form.

CREATE TABLE IF NOT EXISTS domains (
    name text PRIMARY KEY,
    registrar text,
    registered date,
    expires date,
    nameservers text[],
    status text
);

INSERT INTO domains (name, registrar, registered, expires, nameservers, status) VALUES
    ('example.org', 'Example Registrar Ltd', '1995-08-31', '2035-08-30',
     ARRAY['ns1.example.net', 'ns2.example.net'], 'active'),
    ('xn--bcher-kva.example', 'Bücher Registrar GmbH', '2011-03-01', '2031-03-01',
     ARRAY['ns1.example.net'], 'active'),
    ('pending.example', NULL, '2026-01-15', NULL, NULL, 'pendingDelete')
ON CONFLICT (name) DO NOTHING;
