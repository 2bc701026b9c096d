// Raises the priority of mails whose subject says that they are urgent.
#include "filter.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool says_urgent(const filter_string_t *text)
{
    static const char word[] = "urgent";
    size_t at, letters, length = sizeof word - 1;
    for (at = 0; at + length <= text->len; at++) {
        for (letters = 0; letters < length && tolower(text->ptr[at + letters]) == word[letters]; letters++) {
        }
        if (letters == length)
            return true;
    }
    return false;
}

// What is returned is freed by the binding, so that every string is a copy.
void exports_postigo_plugin_setup_describe(exports_postigo_plugin_setup_description_t *it)
{
    memset(it, 0, sizeof *it);
    filter_string_dup(&it->name, "urgent-c");
    filter_string_dup(&it->version, "1.0.0");
    filter_string_dup(&it->summary, "Raises the priority of mails that say they are urgent.");
    filter_string_dup(&it->settings_schema, "{\"type\": \"object\"}");
}

void exports_postigo_filter_filtering_settable_headers(filter_list_string_t *headers)
{
    headers->len = 1;
    headers->ptr = malloc(sizeof *headers->ptr);
    filter_string_dup(&headers->ptr[0], "X-OTOBO-Priority");
}

// Once for all filters of the group, before any mail; false with a list of problems where their settings have mistakes.
bool exports_postigo_plugin_setup_configure(exports_postigo_plugin_setup_list_filter_settings_t *filters,
                                            exports_postigo_plugin_setup_list_problem_t *problems)
{
    (void)problems;
    exports_postigo_plugin_setup_list_filter_settings_free(filters);
    return true;
}

bool exports_postigo_filter_filtering_evaluate(uint32_t filter, exports_postigo_filter_filtering_borrow_mail_t mail,
                                               exports_postigo_filter_filtering_verdict_t *verdict, filter_string_t *error)
{
    filter_string_t name, subject;
    (void)filter;
    (void)error;
    memset(verdict, 0, sizeof *verdict);
    filter_string_set(&name, "Subject");
    if (!postigo_message_message_method_mail_header(mail, &name, &subject))
        return true;
    verdict->matched = says_urgent(&subject);
    filter_string_free(&subject);
    if (verdict->matched) {
        verdict->changes.len = 1;
        verdict->changes.ptr = malloc(sizeof *verdict->changes.ptr);
        filter_string_dup(&verdict->changes.ptr[0].header, "X-OTOBO-Priority");
        filter_string_dup(&verdict->changes.ptr[0].value, "5 very high");
    }
    return true;
}
