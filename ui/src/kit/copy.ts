/**
 * Copying gives plain exact values: a marked amount or address is replaced by its `data-exact`,
 * cells are parted by tabs and rows by line ends, so that a table pastes as a table.
 */
function plain(node: Node): string {
  if (node instanceof HTMLElement) {
    if (node.dataset.exact !== undefined) return node.dataset.exact;
    const inner = [...node.childNodes].map(plain).join('');
    const role = node.getAttribute('role');
    if (role === 'gridcell' || role === 'cell' || node.tagName === 'TD') return `${inner.trim()}\t`;
    if (role === 'row' || node.tagName === 'TR') return `${inner.replace(/\t$/, '')}\n`;
    return inner;
  }
  return node.nodeType === Node.TEXT_NODE
    ? (node.textContent ?? '')
    : [...node.childNodes].map(plain).join('');
}

/** What a selected part of the page is as plain text. */
export function plainText(node: Node): string {
  return plain(node).replace(/\n$/, '');
}

/** Takes over copying for selections that touch a marked value. */
export function startCopy(): void {
  document.addEventListener('copy', (event) => {
    const selection = document.getSelection();
    if (!selection || selection.isCollapsed || selection.rangeCount === 0) return;
    const range = selection.getRangeAt(0);
    const part = range.cloneContents();
    if (!part.querySelector('[data-exact]')) return;
    event.clipboardData?.setData('text/plain', plainText(part));
    event.preventDefault();
  });
}
