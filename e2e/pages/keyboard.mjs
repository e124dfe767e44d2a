// What stories do on a page, as somebody does it who has no mouse: Tab to the control, then the keys that it takes.

/** More controls than any page has. */
const TABS_MAX = 600;

/** Tabs to the control, or to a radio button of its group: it must be reachable, and show that it has the focus. */
async function reach(control) {
  const page = control.page();
  await control.waitFor();
  for (let tabs = 0; ; tabs += 1) {
    const focus = await control.evaluate(focusOn);
    if (focus === "shown") return;
    if (focus === "hidden") throw new Error(`${control} has the focus and does not show it`);
    if (tabs === TABS_MAX) throw new Error(`${control} can't be reached by Tab`);
    await page.keyboard.press("Tab");
  }
}

/** In the page: where the focus is, seen from the control. */
function focusOn(control) {
  const active = document.activeElement;
  const ofGroup = active?.type === "radio" && control.type === "radio" && active.name === control.name && active.form === control.form;
  if (active !== control && !ofGroup) return "elsewhere";
  return active.matches(":focus-visible") ? "shown" : "hidden";
}

/** Presses Enter on a link or button that changes the page in place, or gives a file. */
export async function activate(control) {
  await reach(control);
  await control.page().keyboard.press("Enter");
}

/** Presses Enter on a link or button that leads to another page, and waits for that page. */
export async function follow(control) {
  await reach(control);
  const page = control.page();
  await Promise.all([page.waitForNavigation({ waitUntil: "load", timeout: 60_000 }), page.keyboard.press("Enter")]);
}

/** Writes into a field, in place of what it holds. */
export async function enter(field, text) {
  await reach(field);
  const { keyboard } = field.page();
  await keyboard.press("Control+A");
  await keyboard.press("Delete");
  await keyboard.type(text);
}

/** Ticks a box by Space, or goes to a radio button by the arrow keys. */
export async function choose(control) {
  await reach(control);
  const { keyboard } = control.page();
  const isRadio = (await control.getAttribute("type")) === "radio";
  if (!(await control.isChecked())) await keyboard.press("Space");
  for (let steps = 0; isRadio && !(await control.isChecked()); steps += 1) {
    if (steps === TABS_MAX) throw new Error(`${control} can't be reached by the arrow keys`);
    await keyboard.press("ArrowDown");
  }
}

/** Picks an option of a list by writing how its text begins. */
export async function pick(list, option) {
  await reach(list);
  await list.page().keyboard.type(option);
  const picked = await list.evaluate((control) => control.selectedOptions[0]?.label);
  if (picked !== option) throw new Error(`${list} is at ${picked}, not at ${option}`);
}

/** Chooses files in a field that Tab reaches; the window they are chosen in is the browser's own. */
export async function attach(field, files) {
  await reach(field);
  await field.setInputFiles(files);
}
