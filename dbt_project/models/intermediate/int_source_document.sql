-- Reports and contacts as sources of tasks. A report without a date that can be true counts from
-- when it landed.
select
    false as is_contact,
    report.uuid,
    report.reported_at,
    coalesce(report.reported_at, report.saved_at) as counts_from,
    report.is_dated_for_the_cht as is_dated,
    report.has_bad_date,
    report.subject_key,
    report.subject_uuid,
    report.is_ambiguous,
    report.sender_uuid,
    report.sender_place_uuid,
    report.is_altered,
    report.is_deleted,
    report.is_flagged_deleted
from {{ ref('report') }} as report

union all

select
    true,
    contact.uuid,
    contact.reported_at,
    coalesce(contact.reported_at, case when contact.has_bad_date then contact.saved_at end),
    contact.is_dated_for_the_cht,
    contact.has_bad_date,
    contact.uuid,
    contact.uuid,
    false,
    null,
    null,
    contact.is_altered,
    contact.is_deleted,
    contact.is_flagged_deleted
from {{ ref('contact') }} as contact
