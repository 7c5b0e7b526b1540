r"""A trigger on `message`, for a team's texts that don't come through us. Ours; off by default.

Spoke's own server and workers write a text into `message` and hand it over at once, before they
commit. So the trigger speaks up while the INSERT still runs, and no later: what it refuses is not
sent. It fires once for each statement, of whatever number of rows, and costs our own statement one
look into the queue, where its rows are by then.

A text is counted here a little too dearly where exactness would need the clusters of Unicode:

- GSM-7: a character of two septets may leave one septet of a segment empty.
- UCS-2: a surrogate pair may leave one unit empty. What leaves no more than that is listed in
  _EVEN. Anything else may join both its neighbours: a cluster of n units leaves at most n - 1
  empty, or, when it is so long that it has to be cut, at most twice as many; and no text ever
  takes more than three segments for each 67 units.
"""

import hashlib

NAME = "credits_guard"
REFUSED = "SC402"
"""SQLSTATE of a text that the team's credits don't cover."""

_GSM_7_EXTENSION = r"E'\f^{}\\[~]|€'"
_GSM_7 = (
    r"""E'@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?"""
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
    rf"' || {_GSM_7_EXTENSION}"
)
_EVEN = (
    r"\u0001-\u02ff\u0370-\u0482\u048a-\u0590\u05d0-\u05f4\u0620-\u064a\u1e00-\u200b\u200e-\u20cf"
    r"\u20f1-\u2cee"
    r"\u2e00-\u3029\u3030-\u3098\u309b-\ua66e\uac00-\ud7a3\uf900-\ufb1d\uff01-\uff9d"
    r"\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff"
)
# As in services/segments.py: what Spoke's rule takes for media.
_SPACE = r"\u0009-\u000d\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
MEDIA = rf"\[[{_SPACE}]*http[^\]{_SPACE}]*[{_SPACE}]*\]"

_DEAREST = rf"""
create function credits_guard_dearest(sent text, mms_credits integer) returns integer
language sql immutable strict parallel safe as $$
  select case
    when sent ~ '{MEDIA}' then mms_credits
    when is_gsm_7 and septets <= 160 or not is_gsm_7 and units <= 70 then 1
    when is_gsm_7 and septets = length(sent) then (septets + 152) / 153
    when is_gsm_7 then (septets + 151) / 152
    when uneven = 0 then (units + 66 - pairs) / (67 - pairs)
    else least((units + 2 * (units - length(sent)) + 4 * uneven + 66) / 67, 3 * units / 67 + 1)
  end
  from (
    select translate(sent, {_GSM_7}, '') = '' as is_gsm_7,
      2 * length(sent) - length(translate(sent, {_GSM_7_EXTENSION}, '')) as septets,
      2 * length(sent) - length(regexp_replace(sent, '[\U00010000-\U0010ffff]+', '', 'g')) as units,
      (sent ~ '[\U00010000-\U0010ffff]')::integer as pairs,
      length(regexp_replace(sent, '[{_EVEN}]+', '', 'g')) as uneven
  ) as measured
$$;
"""

# The time-out is under deadlock_timeout: where we hold the account and wait for a contact that
# Spoke has locked, Spoke's insert is what fails, and its worker tries again. Planning takes longer
# than all the rest; `offset 0` makes one plan good for any number of texts.
_CHARGE = f"""
create function credits_guard_charge(message_ids integer[], mms_credits integer) returns void
language plpgsql security definer set search_path from current set lock_timeout = '700ms'
  set plan_cache_mode = force_generic_plan as $$
declare
  sent record;
  remaining bigint;
begin
  for sent in
    select text.* from unnest(message_ids) as written (id) cross join lateral (
      select m.id, m.user_id, c.organization_id as team_id,
        credits_guard_dearest(m.text, mms_credits) as cost,
        exists (
          select from opt_out o
          where o.cell = m.contact_number and o.organization_id = c.organization_id
        ) as is_confirmation
      from message m
      left join campaign_contact contact on contact.id = m.campaign_contact_id
      left join assignment a on a.id = m.assignment_id
      join all_campaign c on c.id = coalesce(contact.campaign_id, a.campaign_id)
      where m.id = written.id and not exists (
        select from credit_entry e
        where e.team_id = c.organization_id and e.message_id = m.id and e.kind = 'SEND'
      )
      offset 0
    ) as text
    order by team_id, id
  loop
    update credit_account set balance = balance - sent.cost, updated_at = now()
    where team_id = sent.team_id and enabled and (sent.is_confirmation or balance >= sent.cost)
    returning balance into remaining;
    if found then
      insert into credit_entry (team_id, kind, amount, balance_after, message_id, actor_id)
      values (sent.team_id, 'SEND', -sent.cost, remaining, sent.id, sent.user_id);
      insert into credit_exhaustion (team_id, reason, remaining)
      select sent.team_id, 'EXHAUSTED', remaining where remaining <= 0
      on conflict (team_id) where closed_at is null do nothing;
    elsif exists (select from credit_account where team_id = sent.team_id and enabled) then
      raise exception 'Insufficient Credits: team % has not the % that this text may need',
          sent.team_id, sent.cost
        using errcode = '{REFUSED}',
          hint = 'Spoke Credits guards this table. Add credits, or turn their use off.';
    end if;
  end loop;
end $$;
revoke execute on function credits_guard_charge(integer[], integer) from public;
"""

_GUARD = f"""
create function {NAME}() returns trigger
language plpgsql security definer set search_path from current as $$
declare
  strangers integer[];
begin
  select array_agg(m.id) into strangers from written m
  where not m.is_from_contact
    and not exists (select from outbound_text o where o.message_id = m.id offset 0);
  if strangers is not null then
    perform credits_guard_charge(strangers, tg_argv[0]::integer);
  end if;
  return null;
end $$;
"""

REMOVE = f"""
drop trigger if exists {NAME} on message;
drop function if exists {NAME}();
drop function if exists credits_guard_charge(integer[], integer);
drop function if exists credits_guard_dearest(text, integer);
"""

# What is temporary comes last, or anybody's temporary table would pass for one of these.
_SEARCH_PATH = "select set_config('search_path', current_schema || ', pg_temp', true);"


def install(mms_credits: int) -> str:
    """Statements that put it in, instead of what is there of it."""
    made = (
        f"{_SEARCH_PATH} {REMOVE} {_DEAREST} {_CHARGE} {_GUARD}"
        f"create trigger {NAME} after insert on message referencing new table as written "
        f"for each statement execute function {NAME}({mms_credits});"
    )
    return f"{made} comment on function {NAME}() is '{_digest(made)}';"


def fingerprint(mms_credits: int) -> str:
    """The function's comment where exactly this is installed."""
    return install(mms_credits).rpartition(" is '")[2].removesuffix("';")


def _digest(made: str) -> str:
    return hashlib.sha256(made.encode()).hexdigest()[:16]
