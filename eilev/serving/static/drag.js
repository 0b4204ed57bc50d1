// Ordering a list by dragging a handle, with a mouse, a pen or a finger.

// `moved` gets the place where the item would go at each movement, and `dropped` at the end (null if
// the drag was broken off).
export function drag(event, list, from, moved, dropped) {
  event.preventDefault();
  const others = [...list.children].filter((_, place) => place !== from);
  const place = (y) => others.filter((item) => middle(item) < y).length;
  const over = new AbortController();
  const end = (to) => {
    over.abort();
    dropped(to);
  };
  const on = (name, listener) => window.addEventListener(name, listener, { signal: over.signal });
  on("pointermove", (now) => moved(place(now.clientY)));
  on("pointerup", (now) => end(place(now.clientY)));
  on("pointercancel", () => end(null));
  on("keydown", (now) => now.key === "Escape" && end(null));
}

export function move(items, from, to) {
  const rest = items.filter((_, place) => place !== from);
  return [...rest.slice(0, to), items[from], ...rest.slice(to)];
}

function middle(item) {
  const box = item.getBoundingClientRect();
  return box.top + box.height / 2;
}
