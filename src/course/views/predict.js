// A form of one number. The text goes with the message: a synchronised value could lag behind.
function render({ model, el }) {
  const form = document.createElement("form");
  const label = document.createElement("label");
  const input = document.createElement("input");
  const button = document.createElement("button");
  const said = document.createElement("output");
  form.className = "course-predict";
  label.append(model.get("question"), input, model.get("unit"));
  input.autocomplete = "off";
  input.placeholder = "a number";
  button.textContent = "Commit";
  form.append(label, button, said);
  form.addEventListener("keydown", (event) => event.stopPropagation());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    model.send({ number: input.value });
  });
  const show = () => {
    said.textContent = model.get("said");
    input.disabled = button.disabled = model.get("kept");
  };
  model.on("change:said change:kept", show);
  show();
  el.replaceChildren(form);
}
export default { render };
