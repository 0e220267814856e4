// Whether a principal may become a role: the role's trust policy and his own policies together.
//
//   a Deny anywhere                                                no
//   the trust policy does not allow him                            no     whatever his own policies say
//   same account     it names him, or everybody                    yes
//                    it names the account, and his policies allow  yes
//   another account  it allows him, and his policies allow         yes
//   root                                                           no
//
// A session's policy narrows what its holder may become, unless the trust policy names that very session.
import { strongest } from "./authorize.ts";
import type { Role } from "./identities.ts";
import type { Context } from "./policy/context.ts";
import { evaluate } from "./policy/evaluate.ts";
import type { Principal } from "./principal.ts";

/** @param action sts:AssumeRole, and what else is asked for with it: sts:TagSession, sts:SetSourceIdentity */
export function mayAssume(principal: Principal, action: string, role: Role, context: Context): boolean {
  if (principal.kind === "root" || principal.kind === "anonymous") return false;
  const request = { principal: principal.names, action, resource: role.arn, context };
  const identity = strongest(principal.identityPolicies, request);
  const session = principal.sessionPolicies && strongest(principal.sessionPolicies, request);
  if (identity === "Deny" || session === "Deny" || evaluate(role.trustPolicy, request) !== "Allow") return false;
  const isNarrowed = principal.sessionPolicies !== undefined && session !== "Allow";
  if (identity === "Allow" && !isNarrowed) return true;
  if (principal.account !== role.account) return false;
  const grantee = isNarrowed
    ? { names: principal.names.own, everyone: false }
    : { names: principal.directNames, everyone: true };
  return evaluate(role.trustPolicy, request, grantee) === "Allow";
}
