// What a caller writes who has a client generated from the API's description. The compiler knows
// the shapes; where one is not what is used here, this does not compile.
import createClient from "openapi-fetch";

import type { components, paths } from "./api.js";

declare const process: { argv: string[] };

const [baseUrl, token] = process.argv.slice(2);
// Lists are written with commas; openapi-fetch repeats the parameter where it is not told so.
const querySerializer = { array: { style: "form", explode: false } } as const;
const client = createClient<paths>({ baseUrl, querySerializer });
const headers = { Authorization: `Bearer ${token}` };
const authorized = createClient<paths>({ baseUrl, querySerializer, headers });

const created = await client.POST("/movies.create", { body: { imdb_id: "tt0024264" } });
const title: string | undefined = created.data?.data.title;

const list = await client.GET("/movies.list", {
  params: { query: { number_of_records: 2, fields: ["title", "year"] } },
});
const years: (number | null | undefined)[] | undefined = list.data?.data.map((movie) => movie.year);

const found = await client.GET("/movies.get", { params: { query: { imdb_id: "tt0024264" } } });
const genres: string[] | undefined = found.data?.data.genres;

const where = { params: { path: { imdb_id: "tt0024264" } } };
const refused = await client.DELETE("/movies.delete/{imdb_id}", where);
const deleted = await authorized.DELETE("/movies.delete/{imdb_id}", where);

const missing = await client.GET("/movies.get", { params: { query: { imdb_id: "tt0024264" } } });
const fault: components["schemas"]["MovieNotFound"] | undefined =
  missing.response.status === 404
    ? (missing.error as components["schemas"]["MovieNotFound"])
    : undefined;

console.log(
  JSON.stringify({
    created: created.response.status,
    title,
    years: years?.length,
    genres,
    refused: refused.response.status,
    deleted: deleted.response.status,
    fault: fault?.error.code,
  }),
);
