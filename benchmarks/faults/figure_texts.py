"""Right answers with one figure marked `{}`, and that figure right and spoiled. Names and numbers are invented."""

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from benchmarks.faults.figure_digits import (
    cusip_of,
    iban_of,
    isin_of,
    lei_of,
    long,
    npi_of,
    us,
    usd,
    with_other_digit,
    with_swapped_digits,
)


class Text(NamedTuple):
    """A question, its source, a right answer with `{}` for one figure, that figure, and its spoiled form."""

    asked: str
    source: str
    answer: str
    figure: str
    spoiled: str
    pack: str = ""


_FIRMS = ("Northgate Supply", "Halden Freight", "Mirador Foods", "Orchard Bank", "Kestrel Labs", "Tern Logistics")
_PEOPLE = ("Dr. Alvarez", "Ms. Okafor", "Mr. Lindqvist", "Ms. Tanaka", "Mr. Osei")
_DRUGS = ("amoxicillin", "acetaminophen", "vancomycin", "cefazolin", "ibuprofen", "gentamicin")
_ITEMS = ("Hosting", "Support", "Licences", "Freight", "Insurance", "Audit", "Storage", "Training", "Printing")


_DIAGNOSES = (
    ("Essential (primary) hypertension", "I10"),
    ("Type 2 diabetes mellitus without complications", "E11.9"),
    ("Pneumonia, unspecified organism", "J18.9"),
)


def with_diagnosis(text: Text, rng: np.random.Generator) -> Text:
    """The text with a diagnosis in the source and its code at the end of the answer."""
    diagnosis, code = _DIAGNOSES[int(rng.integers(len(_DIAGNOSES)))]
    return text._replace(source=f"Diagnosis: {diagnosis}\n{text.source}", answer=f"{text.answer} Code: {code}")


def with_unit(rng: np.random.Generator) -> Text:
    """A dose, a length, a sum or a term, whose unit or scale is exchanged."""
    pick = int(rng.integers(6))
    n = int(rng.integers(13, 400))
    drug, firm = str(rng.choice(_DRUGS)), str(rng.choice(_FIRMS))
    if pick == 0:
        source = f"Order: {drug} {n} mg by mouth twice daily. Creatinine 0.{int(rng.integers(6, 9))} mg/dL."
        return Text(
            "What was ordered?",
            source,
            f"The order is {drug} {{}} twice daily.",
            f"{n} mg",
            f"{n} {rng.choice(['g', 'mcg', 'mL'])}",
        )
    if pick == 1:
        source = f"Infusion of {drug} at {n} mL per hour over 4 hours through a central line."
        return Text(
            "At what rate?", source, f"{drug.capitalize()} runs at {{}}.", f"{n} mL per hour", f"{n} L per hour"
        )
    if pick == 2:
        millions = f"{int(rng.integers(11, 99))}.{int(rng.integers(1, 9))}"
        source = f"{firm} reported revenue of ${millions} million and 412 employees for the year."
        return Text(
            "What was the revenue?",
            source,
            f"{firm} reported revenue of {{}}.",
            f"${millions} million",
            f"${millions} {rng.choice(['billion', 'thousand'])}",
            "finance",
        )
    if pick == 3:
        source = f"The notice period is {n} days from receipt. Rent is $1,850.00 a month."
        return Text(
            "How long is the notice period?",
            source,
            "Either party may end the lease with {} of notice.",
            f"{n} days",
            f"{n} {rng.choice(['weeks', 'months', 'years'])}",
            "legal",
        )
    if pick == 4:
        centimetres = int(rng.integers(13, 60)) * 5
        inches = round(centimetres / 2.54, 1)
        source = f"The wound tract measured {centimetres} mm before debridement, with two drains."
        return Text(
            "How long was the tract?",
            source,
            f"The tract measured {{}}, that is {round(inches / 10, 2)} inches.",
            f"{centimetres} mm",
            f"{centimetres} cm",
        )
    kilograms = int(rng.integers(40, 120))
    pounds = round(kilograms * 2.20462262)
    source = f"Weight {kilograms} kg, height 171 cm, temperature 37.2 °C."
    return Text(
        "What is the weight?",
        source,
        f"The patient weighs {{}} ({pounds} lb).",
        f"{kilograms} kg",
        f"{kilograms} {rng.choice(['lb', 'g'])}",
    )


def with_date(rng: np.random.Generator) -> Text:
    """A date of the source, a computed deadline, or a date with its weekday, moved by some days."""
    pick = int(rng.integers(6))
    day = date(2025, 1, 1) + timedelta(days=int(rng.integers(0, 700)))
    moved = day + timedelta(days=int(rng.integers(1, 10)) * int(rng.choice([-1, 1])))
    n_days = int(rng.choice([14, 21, 30, 45, 60, 90]))
    person, firm = str(rng.choice(_PEOPLE)), str(rng.choice(_FIRMS))
    if pick == 0:
        source = f"The complaint against {firm} was filed on {long(day)} and served by mail."
        return Text(
            "When was it filed?",
            source,
            f"The complaint was filed on {{}}, and {firm} was served by mail.",
            long(day),
            long(moved),
        )
    if pick == 1:
        due, late = day + timedelta(days=n_days), moved + timedelta(days=n_days)
        source = f"Notice was received on {us(day)}. The tenant has {n_days} days from receipt to cure."
        return Text("What is the deadline?", source, f"{n_days} days from {us(day)} is {{}}.", us(due), us(late))
    if pick == 2:
        due, late = day + timedelta(days=n_days), moved + timedelta(days=n_days)
        source = f"Invoice date: {day.isoformat()}. Terms: net {n_days} days. Amount due: $4,310.00."
        return Text(
            "When is it due?", source, "The invoice must be paid by {}.", due.isoformat(), late.isoformat(), "finance"
        )
    if pick == 3:
        out = day + timedelta(days=int(rng.integers(2, 9)))
        wrong = day - timedelta(days=int(rng.integers(1, 9)))
        source = f"Admitted {us(day)}. Discharged {us(out)} home. Attending: {person}."
        return Text(
            "When was the stay?",
            source,
            f"{person} admitted the patient on {us(day)}; the patient was discharged on {{}}.",
            us(out),
            us(wrong),
            "medical_coding",
        )
    if pick == 4:
        source = f"The hearing before {person} is set for {us(day)} at 10:30 in courtroom 4."
        return Text(
            "When is the hearing?",
            source,
            "The hearing is on {} at 10:30.",
            f"{day:%A}, {long(day)}",
            f"{day:%A}, {long(moved)}",
        )
    end = day.replace(year=day.year + 3) if (day.month, day.day) != (2, 29) else day + timedelta(days=1095)
    wrong = moved.replace(year=moved.year + 3) if (moved.month, moved.day) != (2, 29) else end + timedelta(days=5)
    source = f"The agreement between {firm} and the lender is effective {long(day)} and runs for 3 years."
    return Text(
        "When does it end?", source, f"It took effect on {long(day)} and expires on {{}}.", long(end), long(wrong)
    )


def with_total(rng: np.random.Generator) -> Text:
    """A list, a table, line items or a sentence whose total is off."""
    pick = int(rng.integers(5))
    names = [str(name) for name in rng.choice(_ITEMS, size=int(rng.integers(3, 6)), replace=False)]
    cents = [int(value) for value in rng.integers(2_000, 900_000, size=len(names))]
    total = sum(cents)
    wrong = total + int(rng.choice([-1, 1])) * int(rng.choice([1, 10, 100, 900, 1000, 10_000]))
    source = "Charges: " + "; ".join(f"{name} {usd(value)}" for name, value in zip(names, cents, strict=True)) + "."
    figure, spoiled = usd(total), usd(wrong)
    if pick == 0:
        lines = "\n".join(f"- {name}: {usd(value)}" for name, value in zip(names, cents, strict=True))
        return Text("List the charges.", source, f"{lines}\nTotal: {{}}", figure, spoiled)
    if pick == 1:
        lines = "\n".join(f"| {name} | {usd(value)} |" for name, value in zip(names, cents, strict=True))
        return Text(
            "Tabulate.", source, f"| Item | Amount |\n|---|---|\n{lines}\n| **Total** | {{}} |", figure, spoiled
        )
    if pick == 2:
        listed = ", ".join(
            f"{name.lower()} at {usd(value)}" for name, value in zip(names[:-1], cents[:-1], strict=True)
        )
        return Text(
            "What is owed?",
            source,
            f"The charges are {listed} and {names[-1].lower()} at {usd(cents[-1])}, for a total of {{}}.",
            figure,
            spoiled,
        )
    if pick == 3:
        sums = " + ".join(usd(value) for value in cents)
        return Text("What is owed in all?", source, f"Adding the charges, {sums} = {{}}.", figure, spoiled)
    return Text("What is the total of the charges?", source, "The total of the charges is {}.", figure, spoiled)


def with_number(rng: np.random.Generator) -> Text:
    """A number of the source with two of its digits exchanged."""
    pick = int(rng.integers(4))
    n = int(rng.integers(12_345, 987_654))
    figure = f"{n:,}"
    spoiled = with_swapped_digits(figure, rng)
    firm = str(rng.choice(_FIRMS))
    other = f"{int(rng.integers(1_000, 900_000)):,}"
    if pick == 0:
        source = f"{firm}: net income was ${figure} thousand in 2024, against ${other} thousand in 2023."
        return Text(
            "What was net income in 2024?",
            source,
            f"Net income of {firm} was {{}} thousand in 2024.",
            f"${figure}",
            f"${spoiled}",
        )
    if pick == 1:
        source = (
            f"| | 2024 | 2023 |\n|---|---|---|\n| Receivables | {figure} | {other} |\n| Inventories | 41,207 | 39,881 |"
        )
        return Text("Receivables in 2024?", source, "Receivables stood at {} at the end of 2024.", figure, spoiled)
    if pick == 2:
        source = f"The jury awarded ${figure} in damages and ${other} in fees. The trial took 11 days."
        return Text(
            "What was awarded?",
            source,
            f"The jury awarded {{}} in damages and ${other} in fees.",
            f"${figure}",
            f"${spoiled}",
            "legal",
        )
    source = f"Claim paid: ${figure}.18. Billed: ${other}.40. Patient responsibility: $35.00."
    return Text(
        "What was paid?",
        source,
        f"The payer paid {{}} of the ${other}.40 billed.",
        f"${figure}.18",
        f"${spoiled}.18",
        "finance",
    )


def with_percentage(rng: np.random.Generator) -> Text:
    """A change, a part or a share that does not follow from its numbers."""
    pick = int(rng.integers(5))
    old, new = int(rng.integers(200, 900)), int(rng.integers(900, 2_000))
    change = (new - old) / old * 100
    off = change + float(rng.choice([-1, 1])) * float(rng.uniform(0.7, 12))
    firm = str(rng.choice(_FIRMS))
    source = f"{firm}: claims were {old:,} in 2023 and {new:,} in 2024; 38 staff handle them."
    if pick == 0:
        return Text(
            "How did claims change?",
            source,
            f"Claims rose from {old:,} to {new:,}, an increase of {{}}.",
            f"{change:.1f}%",
            f"{off:.1f}%",
        )
    if pick == 1:
        return Text(
            "How did claims change?",
            source,
            f"Claims fell short of nothing: they grew by {{}} from {old:,} in 2023 to {new:,} in 2024.",
            f"{change:.2f}%",
            f"{off:.2f}%",
        )
    if pick == 2:
        share = old / new * 100
        return Text(
            "What share?",
            f"{old:,} of {new:,} claims were paid.",
            f"The plan paid {old:,} of {new:,} claims ({{}}).",
            f"{share:.1f}%",
            f"{share + float(rng.choice([-1, 1])) * float(rng.uniform(0.6, 9)):.1f}%",
        )
    if pick == 3:
        return Text(
            "By how much did claims grow?",
            source,
            f"({new:,} - {old:,}) / {old:,} = {{}}",
            f"{change:.1f}%",
            f"{off:.1f}%",
        )
    return Text(
        "What was the percentage change in claims from 2023 to 2024?",
        source,
        "Claims grew by {} from 2023 to 2024.",
        f"{change:.1f}%",
        f"{off:.1f}%",
    )


def with_identifier(rng: np.random.Generator) -> Text:
    """A checksummed identifier with one digit altered or two neighbours exchanged."""
    kind = str(rng.choice(["NPI", "IBAN", "LEI", "CUSIP", "ISIN"]))
    value = {"NPI": npi_of, "IBAN": iban_of, "LEI": lei_of, "CUSIP": cusip_of, "ISIN": isin_of}[kind](rng)
    spoiled = with_other_digit(value, rng) if rng.random() < 0.5 else with_swapped_digits(value, rng)
    source = f"Wire and billing details on file: {kind} {value}. Account holder: {rng.choice(_FIRMS)}."
    answers = (f"The {kind} on file is {{}}.", f"{kind}: {{}}", f"Use {kind} number {{}} for the payment.")
    return Text(f"Which {kind} is on file?", source, str(rng.choice(answers)), value, spoiled, "finance")


def with_dose(rng: np.random.Generator) -> Text:
    """A dose from milligrams per kilogram and weight, whole or divided, that is off."""
    pick = int(rng.integers(4))
    rate, weight = int(rng.choice([5, 10, 12, 15, 20, 25, 40])), int(rng.integers(6, 60))
    drug = str(rng.choice(_DRUGS))
    daily = rate * weight
    wrong = int(daily * float(rng.choice([0.1, 0.5, 1.15, 1.5, 2.5, 10]))) + int(rng.integers(1, 4))
    if pick == 0:
        source = f"{drug} {rate} mg/kg IV once. Weight {weight} kg."
        return Text(
            "What is the dose?",
            source,
            f"{rate} mg/kg x {weight} kg = {{}} of {drug}, once.",
            f"{daily} mg",
            f"{wrong} mg",
        )
    if pick == 1:
        source = f"Child of {weight} kg. Give {drug} {rate} mg/kg per dose."
        return Text(
            "What is one dose?",
            source,
            f"For a child of {weight} kg, one dose of {drug} is {{}}.",
            f"{daily} mg",
            f"{wrong} mg",
        )
    if pick == 2:
        per_dose = daily * 3 / 3
        source = f"{drug} {rate * 3} mg/kg/day in three divided doses; weight {weight} kg."
        return Text(
            "What is each dose?", source, f"At {weight} kg, give {{}} every 8 hours.", f"{per_dose:g} mg", f"{wrong} mg"
        )
    source = f"{drug} suspension 50 mg/mL. Dose {rate} mg/kg, weight {weight} kg."
    return Text(
        "How many millilitres?",
        source,
        f"{rate} mg/kg for {weight} kg is {daily} mg, so draw up {{}}.",
        f"{daily / 50:g} mL",
        f"{wrong / 50 + 0.5:g} mL",
    )
