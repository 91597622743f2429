/** The one function that makes a webview page. */
import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';

export interface Page {
  readonly title: string;
  /** Name of the bundle below `dist/webview`, for script and style. */
  readonly bundle: string;
}

/** Where a webview may read: its bundles, nothing else. */
export function webviewOptions(extensionUri: vscode.Uri): vscode.WebviewOptions {
  return {
    enableScripts: true,
    localResourceRoots: [vscode.Uri.joinPath(extensionUri, 'dist', 'webview')],
  };
}

/** HTML with a strict content security policy: one script by nonce, one style sheet, no inline code, no network. */
export function webviewPage(webview: vscode.Webview, extensionUri: vscode.Uri, page: Page): string {
  const nonce = randomBytes(16).toString('base64url');
  const address = (extension: string): string =>
    webview
      .asWebviewUri(vscode.Uri.joinPath(extensionUri, 'dist', 'webview', `${page.bundle}.${extension}`))
      .toString();
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${webview.cspSource}`,
    `font-src ${webview.cspSource}`,
    `img-src ${webview.cspSource} data:`,
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta http-equiv="Content-Security-Policy" content="${policy}" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <link rel="stylesheet" href="${address('css')}" />
    <title>${page.title}</title>
  </head>
  <body>
    <main id="root"></main>
    <script nonce="${nonce}" src="${address('js')}"></script>
  </body>
</html>`;
}
