// Keyboard shortcuts: one table for what they do, what they match and what the help shows.
export type Action = 'new' | 'search' | 'settings' | 'pane' | 'sidebar' | 'help' | 'stop' | 'previous' | 'next'
  | 'edit' | 'copy' | 'regenerate' | 'wire' | 'compose';

export interface KeyPress {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly shiftKey: boolean;
  readonly altKey: boolean;
}

// 'anywhere' also while typing; 'message' while a message has the focus; 'page' where nothing is being typed.
export type Scope = 'anywhere' | 'message' | 'page';

export interface Shortcut {
  readonly action: Action;
  readonly scope: Scope;
  readonly keys: string;  // "Mod" is Ctrl, or Command on a Mac
  readonly label: string;
}

export const SHORTCUTS: readonly Shortcut[] = [
  { action: 'new', scope: 'anywhere', keys: 'Mod+Shift+O', label: 'New chat' },
  { action: 'search', scope: 'anywhere', keys: 'Mod+K', label: 'Search chats' },
  { action: 'pane', scope: 'anywhere', keys: 'Mod+.', label: 'What the server sees' },
  { action: 'settings', scope: 'anywhere', keys: 'Mod+,', label: 'Settings of this chat' },
  { action: 'sidebar', scope: 'anywhere', keys: 'Mod+B', label: 'Show or hide the chats' },
  { action: 'help', scope: 'anywhere', keys: 'Mod+/', label: 'This help' },
  { action: 'stop', scope: 'anywhere', keys: 'Escape', label: 'Stop the answer, or close what is open' },
  { action: 'previous', scope: 'anywhere', keys: 'Alt+ArrowUp', label: 'Previous message' },
  { action: 'next', scope: 'anywhere', keys: 'Alt+ArrowDown', label: 'Next message' },
  { action: 'edit', scope: 'message', keys: 'E', label: 'Edit and send again' },
  { action: 'regenerate', scope: 'message', keys: 'R', label: 'Answer again' },
  { action: 'copy', scope: 'message', keys: 'C', label: 'Copy the message' },
  { action: 'wire', scope: 'message', keys: 'W', label: 'Show what crossed the wire for it' },
  { action: 'compose', scope: 'page', keys: '/', label: 'Write' },
  { action: 'help', scope: 'page', keys: '?', label: 'This help' },
];

// Handled by the text box itself; listed for the help.
export const COMPOSER_KEYS: readonly { readonly keys: string; readonly label: string }[] = [
  { keys: 'Enter', label: 'Send' },
  { keys: 'Shift+Enter', label: 'New line' },
  { keys: 'ArrowUp', label: 'In an empty box: edit the last message' },
];

export function matchShortcut(press: KeyPress, typing: boolean, onMessage: boolean): Action | null {
  for (const shortcut of SHORTCUTS) {
    if (shortcut.scope === 'message' && (!onMessage || typing)) continue;
    if (shortcut.scope === 'page' && typing) continue;
    if (matches(press, shortcut.keys)) return shortcut.action;
  }
  return null;
}

function matches(press: KeyPress, keys: string): boolean {
  const parts = keys.split('+');
  const key = parts[parts.length - 1]!;
  const mod = press.ctrlKey || press.metaKey;
  if (mod !== parts.includes('Mod') || press.altKey !== parts.includes('Alt')) return false;
  // Shift is part of signs such as "?" on most layouts, so it counts for letters and named keys only.
  if (/^[A-Z]$/.test(key) || key.length > 1) {
    if (press.shiftKey !== parts.includes('Shift')) return false;
  }
  return press.key.toLowerCase() === key.toLowerCase();
}

export function showKeys(keys: string, mac: boolean): string[] {
  const names: Record<string, string> = {
    Mod: mac ? '⌘' : 'Ctrl', Alt: mac ? '⌥' : 'Alt', Shift: mac ? '⇧' : 'Shift',
    ArrowUp: '↑', ArrowDown: '↓', Escape: 'Esc',
  };
  return keys.split('+').map((key) => names[key] ?? key);
}
