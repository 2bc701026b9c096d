// A program that uses the types of the API: it is compiled, never run.
import type { components, paths } from "./api";

type Body<Of extends { content: Record<string, unknown> }> = Of["content"][keyof Of["content"]];
type Accounts = Body<paths["/api/v1/accounts"]["get"]["responses"][200]>;
type Asked = NonNullable<paths["/api/v1/tickets"]["get"]["parameters"]["query"]>;
type Ticket = components["schemas"]["Ticket"];

export const names = (page: Accounts): string[] => page.items.map((account) => account.name);

export async function changedSince(base: string, token: string, since: string): Promise<Ticket[]> {
    const asked: Asked = { changed_since: since, limit: 500 };
    const query = new URLSearchParams(Object.entries(asked).map(([name, value]): [string, string] => [name, String(value)]));
    const tickets: Ticket[] = [];
    for (let next: string | null = `${base}/api/v1/tickets?${query}`; next !== null; ) {
        const response: Response = await fetch(next, { headers: { authorization: `Bearer ${token}` } });
        if (!response.ok) {
            const problem = (await response.json()) as components["schemas"]["Problem"];
            throw new Error(problem.errors?.map((error) => error.detail).join(" ") ?? problem.detail);
        }
        const page = (await response.json()) as components["schemas"]["Page_Ticket"];
        tickets.push(...page.items);
        next = page.next_cursor === null ? null : `${base}/api/v1/tickets?${query}&cursor=${page.next_cursor}`;
    }
    return tickets;
}

// Only what must be there is asked for, and a parameter is left out rather than null.
export const reply: components["schemas"]["ArticleInput"] = { kind: "reply", body: "It is mended.", to: ["jane@example.com"] };
export const queue: components["schemas"]["QueueInput"] = { name: "Support" };
export const owner: string | null = ({} as Ticket).owner;

// @ts-expect-error there is no such kind
export const telegram: components["schemas"]["ArticleInput"] = { kind: "telegram" };
// @ts-expect-error what is left out is not null
export const nothing: components["schemas"]["ArticleInput"] = { subject: null };
// @ts-expect-error a queue has a name
export const nameless: components["schemas"]["QueueInput"] = { comment: "x" };
// @ts-expect-error a parameter is never null
export const everybody: Asked = { owner: null };
