/** Whether keys typed here belong to a text. */
export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

/** Whether a dialog, a list or a menu is open, to which keys belong. */
export function somethingIsOpen(): boolean {
  return (
    document.querySelector(
      '[role="dialog"],[role="alertdialog"],[role="listbox"],[role="menu"]',
    ) !== null
  );
}
