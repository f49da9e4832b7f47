// The strategy control: buttons that say why they cannot be pressed, and what came of pressing.

const PATIENCE = 1500; // milliseconds in which a kernel that is free has answered

function render({ model, el }) {
  const view = shell(model, el);
  const row = make("div", { class: "course-buttons", role: "group", "aria-label": "Actions" });
  const busy = make("p", { class: "course-why", role: "status" });
  const error = make("div", { class: "course-error", role: "alert" });
  error.hidden = true;
  view.body.append(row, busy, error);
  let number = 0;
  let timer = 0;

  const press = (action) => {
    number = Math.max(number, model.get("acknowledged")) + 1;
    model.send({ do: "press", action, number });
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (model.get("acknowledged") < number)
        busy.textContent = "The kernel is busy with a cell; this is done when that ends.";
    }, PATIENCE);
  };
  view.on("change:buttons", () => {
    const prefix = `course-why-${Math.random().toString(36).slice(2)}`;
    row.replaceChildren(
      ...model.get("buttons").map(([action, label]) => {
        const why = make("span", { class: "course-why", id: `${prefix}-${action}` });
        const button = make(
          "button",
          { type: "button", "data-action": action, "aria-describedby": why.id },
          label,
        );
        button.dataset.lmSuppressShortcuts = "true";
        button.addEventListener("click", () => {
          if (button.getAttribute("aria-disabled") !== "true") press(action);
        });
        return make("div", { class: "course-button" }, button, why);
      }),
    );
  });
  const enable = () => {
    const reasons = model.get("reasons");
    for (const button of row.querySelectorAll("button")) {
      const reason = reasons[button.dataset.action] ?? "";
      // Not `disabled`: then nobody could reach it to hear why.
      button.setAttribute("aria-disabled", reason ? "true" : "false");
      button.nextElementSibling.textContent = reason;
    }
  };
  view.on("change:reasons", enable);
  view.on("change:buttons", enable);
  view.on("change:busy", () => {
    const action = model.get("busy");
    busy.textContent = action ? `${action} …` : "";
  });
  view.on("change:acknowledged", () => (busy.textContent = model.get("busy")));
  view.on("change:error", () => {
    const { saw, want, try: next } = model.get("error");
    error.hidden = !saw;
    if (!saw) return error.replaceChildren();
    const list = make("dl");
    for (const [name, text] of [["saw", saw], ["want", want], ["try", next]])
      if (text) list.append(make("dt", {}, name), make("dd", {}, text));
    error.replaceChildren(list);
  });
  return () => {
    clearTimeout(timer);
    view.end();
  };
}

export default { render };
