// Conversations in this browser's IndexedDB, and word to the page's other tabs when they change.
// Where IndexedDB is not to be had (some private windows), chats live as long as the page.
import { deleteDB, openDB, type DBSchema, type IDBPDatabase } from 'idb';
import { settle } from './core/conversation.ts';
import type { Conversation } from './core/types.ts';

const NAME = 'isoveil';
const VERSION = 1;

interface Schema extends DBSchema {
  conversations: { key: string; value: Conversation };
}

export interface Store {
  readonly durable: boolean;
  load(): Promise<Conversation[]>;
  put(chats: readonly Conversation[]): Promise<void>;
  remove(id: string): Promise<void>;
  wipe(): Promise<void>;
}

// `onForeignChange` is called when another tab has written.
export async function openStore(onForeignChange: () => void): Promise<Store> {
  const channel = new BroadcastChannel(NAME);
  channel.onmessage = onForeignChange;
  const tell = (): void => channel.postMessage('changed');
  try {
    const open = (): Promise<IDBPDatabase<Schema>> =>
      openDB<Schema>(NAME, VERSION, {
        upgrade: (db) => void db.createObjectStore('conversations', { keyPath: 'id' }),
        // Another tab erases everything: let it.
        blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
      });
    return new IndexedStore(await open(), open, tell);
  } catch {
    return new MemoryStore();
  }
}

class IndexedStore implements Store {
  readonly durable = true;

  constructor(
    private db: IDBPDatabase<Schema>,
    private readonly open: () => Promise<IDBPDatabase<Schema>>,
    private readonly tell: () => void,
  ) {}

  async load(): Promise<Conversation[]> {
    return (await this.use((db) => db.getAll('conversations'))).map(settle);
  }

  async put(chats: readonly Conversation[]): Promise<void> {
    await this.use(async (db) => {
      const transaction = db.transaction('conversations', 'readwrite');
      for (const chat of chats) void transaction.store.put(chat);
      await transaction.done;
    });
    this.tell();
  }

  async remove(id: string): Promise<void> {
    await this.use((db) => db.delete('conversations', id));
    this.tell();
  }

  async wipe(): Promise<void> {
    this.db.close();
    await deleteDB(NAME);
    this.db = await this.open();
    this.tell();
  }

  // A connection that another tab's erasure closed is opened anew, once.
  private async use<T>(work: (db: IDBPDatabase<Schema>) => Promise<T>): Promise<T> {
    try {
      return await work(this.db);
    } catch (error) {
      if (!(error instanceof DOMException && error.name === 'InvalidStateError')) throw error;
      this.db = await this.open();
      return work(this.db);
    }
  }
}

class MemoryStore implements Store {
  readonly durable = false;
  private readonly chats = new Map<string, Conversation>();

  async load(): Promise<Conversation[]> {
    return [...this.chats.values()];
  }
  async put(chats: readonly Conversation[]): Promise<void> {
    for (const chat of chats) this.chats.set(chat.id, chat);
  }
  async remove(id: string): Promise<void> {
    this.chats.delete(id);
  }
  async wipe(): Promise<void> {
    this.chats.clear();
  }
}
