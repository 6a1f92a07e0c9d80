// What the page remembers about itself, in localStorage. A value that cannot be read is the default.
import { params } from './archive.ts';
import { DEFAULT_PARAMS, type Params } from './types.ts';

export type Theme = 'system' | 'light' | 'dark';

export interface Settings {
  readonly theme: Theme;
  readonly pane: boolean | null;  // the wire pane is open, where it stands beside the chat; null is not chosen yet: open
  readonly defaults: Params;      // for new chats
}

export const DEFAULT_SETTINGS: Settings = { theme: 'system', pane: null, defaults: DEFAULT_PARAMS };

const KEY = 'isoveil.settings';

export function loadSettings(storage: Pick<Storage, 'getItem'>): Settings {
  try {
    const value = JSON.parse(storage.getItem(KEY) ?? '{}') as Partial<Record<keyof Settings, unknown>>;
    return {
      theme: value.theme === 'light' || value.theme === 'dark' ? value.theme : 'system',
      pane: typeof value.pane === 'boolean' ? value.pane : DEFAULT_SETTINGS.pane,
      defaults: value.defaults === undefined ? DEFAULT_PARAMS : params(value.defaults, 'defaults'),
    };
  } catch {
    return DEFAULT_SETTINGS;
  }
}

export function saveSettings(storage: Pick<Storage, 'setItem'>, settings: Settings): void {
  try {
    storage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Full or forbidden storage: the settings hold until the page is closed.
  }
}
