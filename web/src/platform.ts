// Small things of the browser that differ between secure and plain origins, or need a detour.

// 128 random bits; crypto.randomUUID is missing where the gateway is reached over plain HTTP by address.
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

// The clipboard interface exists on secure origins only.
function copyBySelection(text: string): boolean {
  const focused = document.activeElement;
  const box = document.createElement('textarea');
  box.value = text;
  box.className = 'visually-hidden';
  document.body.append(box);
  box.select();
  const done = document.execCommand('copy');
  box.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return done;
}

export function saveFile(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export const isMac = /Mac|iPhone|iPad/.test(navigator.userAgent);

export const wideWindow = matchMedia('(min-width: 1180px)');
export const roomyWindow = matchMedia('(min-width: 1400px)');  // the pane takes nothing from the chat
export const narrowWindow = matchMedia('(max-width: 820px)');
