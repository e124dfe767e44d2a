// A released record as people read it: what it holds by kind, each with name, value and date. The page brings the words; the
// content comes from elsewhere and is only ever text.

/** What a record (a FHIR Bundle) holds, kind by kind in the page's order. */
export function readable(bundle, { kinds, columns }) {
  const shown = document.createDocumentFragment();
  const resources = (bundle.entry ?? []).map((entry) => entry.resource ?? {});
  for (const [kind, title] of kinds) {
    const rows = resources.filter((resource) => resource.resourceType === kind).map((resource) => [nameOf(resource), valueOf(resource), dateOf(resource)]);
    if (rows.length === 0) continue;
    const heading = element("h2", "nhsuk-heading-m", title);
    shown.append(heading, table(title, columns.filter((_, at) => rows.some((row) => row[at])), rows.map((row) => row.filter((_, at) => rows.some((each) => each[at])))));
  }
  return shown;
}

function table(title, columns, rows) {
  const made = element("table", "nhsuk-table nhsuk-table-responsive");
  made.setAttribute("role", "table");
  made.append(element("caption", "nhsuk-table__caption nhsuk-u-visually-hidden", title));
  const head = made.appendChild(element("thead", "nhsuk-table__head")).appendChild(element("tr"));
  for (const column of columns) head.append(Object.assign(element("th", "", column), { scope: "col" }));
  const body = made.appendChild(element("tbody", "nhsuk-table__body"));
  for (const row of rows) {
    const line = body.appendChild(element("tr", "nhsuk-table__row"));
    row.forEach((value, at) => {
      const cell = line.appendChild(element("td", "nhsuk-table__cell"));
      const name = element("span", "nhsuk-table-responsive__heading", `${columns[at]} `);
      name.setAttribute("aria-hidden", "true");
      cell.append(name, value);
    });
  }
  for (const [selector, role] of [["thead", "rowgroup"], ["tr", "row"], ["th", "columnheader"], ["td", "cell"]]) {
    for (const part of made.querySelectorAll(selector)) part.setAttribute("role", role);
  }
  return made;
}

function element(name, className = "", text = "") {
  return Object.assign(document.createElement(name), { className, textContent: text });
}

/** A concept by its text, else its display, else its code. */
function concept(value) {
  const codings = value?.coding ?? [];
  return value?.text || codings.find((one) => one.display)?.display || codings[0]?.code || "";
}

function nameOf(resource) {
  const of = resource.code ?? resource.medicationCodeableConcept ?? resource.vaccineCode ?? resource.type?.[0] ?? resource.category?.[0];
  return concept(of) || concept(resource.reasonCode?.[0]) || concept(resource.class && { coding: [resource.class] });
}

function valueOf(resource) {
  const one = ({ valueQuantity: quantity, valueCodeableConcept, valueString }) =>
    quantity ? `${Math.round(quantity.value * 100) / 100} ${(quantity.unit ?? quantity.code ?? "").replace(/[{}[\]]/g, "")}`.trim() : concept(valueCodeableConcept) || valueString || "";
  return one(resource) || (resource.component ?? []).map((part) => `${concept(part.code)}: ${one(part)}`).join("; ");
}

/** Days of a released record are years, or as its hospital left them: they are shown as they are. */
function dateOf(resource) {
  const { onsetDateTime, effectiveDateTime, authoredOn, occurrenceDateTime, performedDateTime, performedPeriod, period, started, issued } = resource;
  const date = onsetDateTime ?? effectiveDateTime ?? authoredOn ?? occurrenceDateTime ?? performedDateTime ?? performedPeriod?.start ?? period?.start ?? started ?? issued;
  return (date ?? "").slice(0, 10);
}
