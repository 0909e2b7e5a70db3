// Puts CodeMirror over the text area of a file. Without this the text area is the editor.
import {
  EditorState, EditorView, HighlightStyle, bracketMatching, defaultKeymap, drawSelection, highlightActiveLine,
  highlightActiveLineGutter, highlightSelectionMatches, history, historyKeymap, indentOnInput, indentUnit,
  indentWithTab, javascript, json, keymap, lineNumbers, lintGutter, python, searchKeymap, setDiagnostics,
  syntaxHighlighting, tags,
} from "./vendored/codemirror/codemirror.js";

const LANGUAGES = { py: python, json, js: javascript, mjs: javascript, cjs: javascript, ts: javascript };
const area = document.querySelector("textarea[data-editor]");
if (area) replace(area);

function replace(area) {
  // In a shadow root its style comes by a constructed sheet, which the pages' policy allows.
  const host = document.createElement("div");
  host.className = "editor";
  const root = host.attachShadow({ mode: "open" });
  const view = new EditorView({ root, parent: root, state: stateOf(area) });
  view.contentDOM.setAttribute("aria-label", document.querySelector(`label[for="${area.id}"]`).textContent);
  area.before(host);
  area.hidden = true;
  area.form.addEventListener("submit", () => { area.value = view.state.doc.toString(); });
  warnOfLoss(area, view);
  showFault(view, Number(area.dataset.line));
}

function stateOf(area) {
  const suffix = area.dataset.editor.split(".").pop();
  const language = LANGUAGES[suffix];
  return EditorState.create({
    doc: area.value,
    extensions: [
      lineNumbers(), lintGutter(), history(), drawSelection(), indentOnInput(), bracketMatching(), highlightActiveLine(),
      highlightActiveLineGutter(), highlightSelectionMatches(), syntaxHighlighting(colours()),
      indentUnit.of(suffix === "py" ? "    " : "  "), EditorState.tabSize.of(4), EditorView.lineWrapping, look(),
      language ? language() : [], EditorView.domEventHandlers({ beforeinput: typeOver }),
      // Escape and then Tab leaves the editor by keyboard.
      keymap.of([...defaultKeymap, ...historyKeymap, ...searchKeymap, indentWithTab]),
    ],
  });
}

function typeOver(event, view) {
  // The browser would keep the look of what is typed over by a style attribute, which the policy forbids.
  const replaces = !event.isComposing && event.inputType === "insertText" && !view.state.selection.main.empty;
  if (!replaces || !event.data) return false;
  view.dispatch(view.state.replaceSelection(event.data), { userEvent: "input.type" });
  event.preventDefault();
  return true;
}

function look() {
  return EditorView.theme({
    "&": { color: "var(--text)", backgroundColor: "var(--card)", border: "1px solid var(--edge)", borderRadius: "7px", fontSize: "0.9rem" },
    "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "1px" },
    ".cm-scroller": { fontFamily: "ui-monospace, monospace", minHeight: "20rem", maxHeight: "70vh" },
    ".cm-content": { caretColor: "var(--text)" },
    ".cm-cursor": { borderLeftColor: "var(--text)" },
    ".cm-gutters": { color: "var(--soft)", backgroundColor: "var(--page)", border: "none" },
    ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 8%, transparent)" },
    "& .cm-selectionBackground, &.cm-focused .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--accent) 25%, transparent) !important" },
    ".cm-panels": { color: "var(--text)", backgroundColor: "var(--page)" },
  });
}

function colours() {
  return HighlightStyle.define([
    { tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword], color: "var(--accent)", fontWeight: "600" },
    { tag: [tags.string, tags.special(tags.string)], color: "var(--good)" },
    { tag: [tags.number, tags.bool, tags.null], color: "var(--busy)" },
    { tag: tags.comment, color: "var(--soft)", fontStyle: "italic" },
    { tag: [tags.function(tags.variableName), tags.propertyName], fontWeight: "600" },
  ]);
}

function showFault(view, number) {
  if (!(number >= 1 && number <= view.state.doc.lines)) return;
  const line = view.state.doc.line(number);
  const fault = { from: line.from, to: line.to, severity: "error", message: "The new code failed here." };
  view.dispatch(setDiagnostics(view.state, [fault]));
  view.dispatch({ selection: { anchor: line.from }, effects: EditorView.scrollIntoView(line.from, { y: "center" }) });
}

function warnOfLoss(area, view) {
  let sent = false;
  area.form.addEventListener("submit", () => { sent = true; });
  window.addEventListener("beforeunload", (event) => {
    if (!sent && view.state.doc.toString() !== area.defaultValue) event.preventDefault();
  });
}
