/** Makes the page of `showDataset`. It uses no script, style or picture from elsewhere, and escapes every text. */

import { DISCLAIMER } from '../base/disclaimer';
import { escapeHtml, htmlPage } from '../base/html';
import { SIDES } from '../reading/laterality';
import { type Composition, compositionTable } from './composition';
import { CLASSES, type ManifestEntry, type SkippedEntry } from './manifest';
import { SPLITS } from './split';

export interface PageScan {
  entry: ManifestEntry;
  /** The picture's path relative to the page; null if there is none. */
  picture: string | null;
  notes: string[];
}

const STYLE = `
body { font: 15px/1.45 system-ui, sans-serif; margin: 0; color: #222; background: #f4f4f4; }
header { position: sticky; top: 0; padding: .6rem 1rem; background: #fff; border-bottom: 1px solid #ccc; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)); gap: 1rem; padding: 1rem; }
article { padding: .8rem; background: #fff; border: 1px solid #ddd; border-radius: 4px; }
article[hidden] { display: none; }
article img { width: 100%; background: #000; }
h1, h2 { margin: 0 0 .4rem; font-size: 1.1rem; }
pre { padding: 0 1rem; overflow: auto; }
.note { color: #8a4b00; }
.tags { color: #555; }
section { padding: 0 1rem; }
label { margin-right: 1rem; }`;

const SCRIPT = `
const controls = [...document.querySelectorAll('header [name]')];
const articles = [...document.querySelectorAll('article')];
function show() {
  const wanted = Object.fromEntries(controls.map(({ name, value }) => [name, value]));
  const words = wanted.words.toLowerCase();
  let count = 0;
  for (const article of articles) {
    const fits = ['split', 'class', 'laterality'].every((key) => !wanted[key] || article.dataset[key] === wanted[key]);
    article.hidden = !(fits && article.textContent.toLowerCase().includes(words));
    if (!article.hidden) count++;
  }
  document.querySelector('output').value = count + ' of ' + articles.length;
}
for (const control of controls) control.addEventListener('input', show);
show();`;

export function datasetPage(scans: PageScan[], skipped: SkippedEntry[], counts: Composition): string {
  const left = skipped.map(({ id, skipped: { reason } }) => `<li>${escapeHtml(id)}: ${escapeHtml(reason)}</li>`);
  const body = `<header>
<h1>Dataset: ${counts.scans} scans of ${counts.subjects} subjects</h1>
<label>Search <input name="words" type="search"></label>
${select('split', SPLITS)}
${select('class', CLASSES)}
${select('laterality', SIDES)}
<output></output>
</header>
<pre>${escapeHtml(compositionTable(counts).join('\n'))}</pre>
<section><p>Pictures in radiological convention: the patient's right is on the image's left. ${escapeHtml(DISCLAIMER)}</p></section>
<main>
${scans.map(article).join('\n')}
</main>
${left.length === 0 ? '' : `<section><h2>Skipped</h2><ul>${left.join('\n')}</ul></section>`}
<script>${SCRIPT}
</script>`;
  const policy = "img-src 'self' file:; script-src 'unsafe-inline'";
  return htmlPage({ title: 'brain3d dataset', style: STYLE, policy, body });
}

function select(name: string, values: readonly string[]): string {
  const options = values.map((value) => `<option>${value}</option>`).join('');
  return `<label>${name} <select name="${name}"><option value="">all</option>${options}</select></label>`;
}

function article({ entry, picture, notes }: PageScan): string {
  const { id, subject, session, split, class: kind, laterality, modality, source, report } = entry;
  const tags = [subject, session, source, modality, kind, laterality, split].filter((tag) => tag !== undefined);
  const image =
    picture === null
      ? '<p class="note">no picture</p>'
      : `<img loading="lazy" src="${escapeHtml(encodeURI(picture))}" alt="Montage of ${escapeHtml(id)}">`;
  return `<article data-split="${split}" data-class="${kind}" data-laterality="${laterality}">
<h2>${escapeHtml(id)}</h2>
<p class="tags">${tags.map(escapeHtml).join(' &middot; ')}</p>
${image}
<p>${escapeHtml(report)}</p>
${notes.map((note) => `<p class="note">${escapeHtml(note)}</p>`).join('\n')}
</article>`;
}
