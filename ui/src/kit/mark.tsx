/** The sign of the program: two letters in a frame. */
export function Mark() {
  return (
    <span
      aria-hidden="true"
      className="flex size-7 shrink-0 items-center justify-center rounded-ctl border-2 border-accent font-mono text-small font-semibold text-accent"
    >
      Cs
    </span>
  );
}
