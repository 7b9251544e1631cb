/**
 * Loads an optional peer dependency.
 *
 * @throws Error that names what to install where it is not.
 */
export async function loadPackage<T>(where: string, packages: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw new Error(`${where} needs packages that are not installed: npm install ${packages}`);
  }
}

function isMissing(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
}
