//! What went wrong, and what to do next.

words! {
    /// See [`super`].
    Problems {
        check: "There is a problem", "出现问题";
        not_found: "Page not found", "未找到页面";
        not_found_next: "If you typed the address, check it. If you followed a link, the thing it led to may be gone.", "如果您手动输入了地址，请检查。如果您点击了链接，其指向的内容可能已不存在。";
        forbidden: "You can't see or do this", "您无权查看或执行此操作";
        forbidden_next: "You are signed in, but this is not for you. If it should be, ask the hospital or the authority that keeps it.", "您已登录，但无权进行此操作。如有疑问，请联系保管它的医院或管理机构。";
        conflict: "That is not possible any more", "该操作已无法进行";
        conflict_next: "Somebody, or a deadline, was faster. Go back and look at how it is now.", "状态已发生变化（他人操作或已到期限）。请返回查看最新状态。";
        altered: "The record was altered", "该病历已被改动";
        altered_next: "What the hospital keeps of it no longer matches the ledger, so it is not released. The regulator has been told. Refuse the request, or decide on it once the record is put right.", "医院保存的内容与账本不符，因此不予释放，监管方已收到通知。请拒绝该申请，或待病历更正后再作决定。";
        funds: "There is not enough money in the account", "账户余额不足";
        funds_next: "Nothing was done. Offer or withdraw less, or have money paid in first: it counts once the treasury has recorded it.", "未执行任何操作。请减少金额，或先存入资金；财务方登记后即可使用。";
        busy: "The system is busy", "系统繁忙";
        busy_next: "Nothing was lost and nothing was done. Wait a few seconds and try again.", "没有数据丢失，也未执行任何操作。请稍等几秒后重试。";
        timeout: "No answer in time", "未及时得到回应";
        timeout_next: "It may have worked all the same. Look before you try again; trying again does not do it twice.", "操作可能已成功。请先查看再重试；重试不会重复执行。";
        failure: "Something broke", "系统出错";
        failure_next: "It is not your fault and nothing was lost. Try again; if it stays like this, tell support the number below.", "这不是您的问题，数据没有丢失。请重试；若问题依旧，请将下面的编号告知客服。";
        too_many: "Too many tries", "尝试次数过多";
        too_many_next: "Wait a minute, then try again.", "请等一分钟后重试。";
        bad_request: "We could not understand that", "无法理解该请求";
        bad_request_next: "Go back, check what you entered, and try again.", "请返回检查所填内容后重试。";
        stale_form: "This form is from an earlier session", "此表单来自先前的会话";
        stale_form_next: "Go back, reload the page and fill it in again. Nothing was done.", "请返回、刷新页面后重新填写。未执行任何操作。";
        details: "What the system says", "系统说明";
        trace: "Support number", "支持编号";
        try_again: "Try again", "重试";
        go_home: "Go to the start page", "前往首页";
    }
}
