// Where the browser keeps members' keys: IndexedDB, as WebCrypto keys that cannot be read out.

import { MemberKey, readMemberFile } from "./member_key.js";

const DATABASE = "medshare";
const STORE = "members";

/** Imports a key file's text; the browser keeps the keys, not the file. */
export async function importMember(text) {
  const { ledgerId, seed } = readMemberFile(text);
  const member = await MemberKey.fromSeed(ledgerId, seed);
  await inStore("readwrite", (store) => store.put({ ...member.stored, itemsUsed: 0 }));
  return member;
}

/** All members whose keys are here. */
export async function members() {
  const stored = await inStore("readonly", (store) => store.getAll());
  return stored.map((entry) => new MemberKey(entry));
}

/** One member's keys, or null. */
export async function member(ledgerId) {
  const stored = await inStore("readonly", (store) => store.get(ledgerId));
  return stored ? new MemberKey(stored) : null;
}

/** Removes a member's keys from this browser. */
export function forget(ledgerId) {
  return inStore("readwrite", (store) => store.delete(ledgerId));
}

/** Reserves `count` numbers of item keys that were never used here; gives the first. */
export async function reserveItemNumbers(ledgerId, count) {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, "readwrite");
    const store = transaction.objectStore(STORE);
    let first = 0;
    const asked = store.get(ledgerId);
    asked.onsuccess = () => {
      if (!asked.result) {
        transaction.abort();
        return;
      }
      first = asked.result.itemsUsed;
      store.put({ ...asked.result, itemsUsed: first + count });
    };
    transaction.oncomplete = () => resolve(first);
    transaction.onabort = () => reject(transaction.error ?? new Error("this member's keys are not in this browser"));
  });
}

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "ledgerId" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function inStore(mode, work) {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, mode);
    const request = work(transaction.objectStore(STORE));
    transaction.oncomplete = () => {
      database.close();
      resolve(request.result);
    };
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error);
  });
}
