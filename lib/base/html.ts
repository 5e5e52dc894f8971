/** Makes pages that stand alone: their content policy forbids loading anything from elsewhere. */

export interface Page {
  /** The title as text; it is escaped here. */
  title: string;
  style: string;
  /** Additions to the content policy, such as `img-src data:`. Without them only styles are allowed. */
  policy?: string;
  /** The contents of the body, as HTML. */
  body: string;
}

export function htmlPage({ title, style, policy, body }: Page): string {
  const allowed = ["default-src 'none'", "style-src 'unsafe-inline'", ...(policy === undefined ? [] : [policy])];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="${allowed.join('; ')}">
<title>${escapeHtml(title)}</title>
<style>${style}
</style>
</head>
<body>
${body.trim()}
</body>
</html>
`;
}

export function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => entities[character] as string);
}
