"""Makes the fixture of `manage.py loaddata huts` out of the table that people edit: TABLE FIXTURE."""

import csv
import json
import sys
import unicodedata


def slug(name):
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return "-".join(plain.lower().split())


def record(number, row):
    facilities = json.dumps(row["facilities"].split())
    fields = {
        "name": row["name"],
        "slug": slug(row["name"]),
        "altitude": int(row["altitude"]),
        "beds": int(row["beds"]),
        "is_open": row["is_open"] == "yes",
        "facilities": facilities,
    }
    return {"model": "huts.hut", "pk": number, "fields": fields}


def main(table, fixture):
    with open(table, encoding="utf-8", newline="") as source:
        records = [record(number, row) for number, row in enumerate(csv.DictReader(source), 1)]
    with open(fixture, "w", encoding="utf-8") as target:
        json.dump(records, target, ensure_ascii=False, indent=1)
        target.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
